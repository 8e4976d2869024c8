// Starts the page: style sheet, theme, then the frame with its routes.
import 'uplot/dist/uPlot.min.css';
import './style.css';
import { mount } from 'svelte';
import App from './App.svelte';

const target = document.getElementById('app');
if (target) mount(App, { target });
