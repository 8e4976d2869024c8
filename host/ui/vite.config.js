// How the page is built: one script, one style sheet, no request to another host.
import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vite';

const host = process.env.GEMINUS_URL ?? 'http://127.0.0.1:8380';

export default defineConfig({
  base: './',
  plugins: [svelte({ configFile: false })],
  // The Rust sources live in src/, so nothing of this room is public by its place.
  publicDir: false,
  build: { target: 'es2022', modulePreload: { polyfill: false }, assetsInlineLimit: 0, reportCompressedSize: false },
  server: { host: '127.0.0.1', proxy: { '/api': host } },
  test: { include: ['page/**/*.test.ts', 'mock/**/*.test.mjs'], environment: 'node', css: true },
});
