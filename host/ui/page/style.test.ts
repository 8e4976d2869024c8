// Holds the colours to WCAG AA: 4.5 : 1 for text, 3 : 1 for what carries meaning without being text.
import { describe, expect, it } from 'vitest';
import css from './style.css?raw';

function block(pattern: RegExp): string {
  return pattern.exec(css)?.[1] ?? '';
}

const LIGHT = block(/:root \{([^}]*)\}/);
const DARK = block(/:root\[data-theme='dark'\] \{([^}]*)\}/);
const DARK_BY_SYSTEM = block(/:root:not\(\[data-theme='light'\]\) \{([^}]*)\}/);

function coloursOf(text: string): Map<string, string> {
  return new Map([...text.matchAll(/--([\w-]+): (#[0-9a-f]{6})/g)].map((match) => [match[1] ?? '', match[2] ?? '']));
}

function luminance(hex: string): number {
  const [r = 0, g = 0, b = 0] = [1, 3, 5]
    .map((i) => Number.parseInt(hex.slice(i, i + 2), 16) / 255)
    .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

function contrast(colours: Map<string, string>, a: string, b: string): number {
  const [x = 0, y = 0] = [a, b].map((name) => luminance(colours.get(name) ?? '#000000')).sort((p, q) => q - p);
  return (x + 0.05) / (y + 0.05);
}

const TEXT: [string, string[]][] = [
  ['text', ['page', 'sheet', 'raised', 'head', 'hover']], ['muted', ['page', 'sheet', 'raised', 'head', 'hover']], ['frozen', ['page', 'sheet', 'raised']],
  ['on-critical', ['critical']], ['on-high', ['high']], ['on-medium', ['medium']], ['on-low', ['low']], ['on-stale', ['stale-bg']],
  ['critical', ['sheet', 'raised']], ['high', ['sheet', 'raised']], ['low', ['sheet']], ['stale', ['sheet', 'raised']], ['bad', ['sheet', 'raised']], ['sheet', ['muted', 'mark']],
];
const SHAPES = ['pen-0', 'pen-1', 'pen-2', 'pen-3', 'pen-4', 'pen-5', 'pen-old', 'pen-new', 'pen-reference', 'fill', 'focus', 'line-strong', 'level-warning', 'level-critical'];

describe.each([['light', LIGHT], ['dark', DARK]])('%s colours', (_, text) => {
  const colours = coloursOf(text);
  it.each(TEXT.flatMap(([front, backs]) => backs.map((back) => [front, back] as const)))('%s can be read on %s', (front, back) => {
    expect(contrast(colours, front, back)).toBeGreaterThanOrEqual(4.5);
  });
  it.each(SHAPES)('%s can be told from its sheet', (shape) => {
    expect(contrast(colours, shape, 'sheet')).toBeGreaterThanOrEqual(3);
  });
});

it.each([['light', LIGHT], ['dark', DARK]])('%s: the new version’s line can be told from the old one’s under it', (_, text) => {
  expect(contrast(coloursOf(text), 'pen-new', 'pen-old')).toBeGreaterThanOrEqual(3);
});

it('dark is the same chosen and by the system', () => {
  expect(coloursOf(DARK).size).toBeGreaterThan(30);
  expect(DARK_BY_SYSTEM.replace(/\s+/g, ' ')).toBe(DARK.replace(/\s+/g, ' '));
});
