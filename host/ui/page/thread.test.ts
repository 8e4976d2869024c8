// The thread of an asset: what is seen of the line, which entries last, where they stand, where keys lead, what explains them.
import { describe, expect, it } from 'vitest';
import { routeOf, threadHref } from './route';
import type { Session } from './session';
import { barsOf, foundWords, joined, KINDS, kindWords, panned, placed, shareOf, stepFrom, stretchesOf, ticksOf, waysOf, wholeOf, zoomed, type Span } from './thread';
import type { Explain, ThreadEntry } from './thread-shapes';

const NOON = Date.parse('2026-03-01T12:00:00Z');
const none: Explain = { behavior: null, plugin: null, digest: null, rows: null, replay: null, rollout: null, command: null, verdict: null, journal: null };

function entry(id: string, seconds: number, more: Partial<ThreadEntry> = {}): ThreadEntry {
  return {
    id, kind: 'alert', what: 'alert-raised', time: new Date(NOON + seconds * 1_000).toISOString(), until: null, severity: 'info', title: id, detail: '', facts: null, explain: none,
    record: null, ...more,
  };
}

const hour: Span = { from: NOON, to: NOON + 3_600_000 };

describe('what is seen', () => {
  it('is zoomed around a place that stays', () => {
    const narrow = zoomed(hour, 0.5, 0.25);
    expect([narrow.from - NOON, narrow.to - NOON]).toEqual([450_000, 2_250_000]);
    expect(shareOf(NOON + 900_000, narrow)).toBeCloseTo(0.25);
    expect(zoomed(narrow, 2, 0.25)).toEqual(hour);
  });

  it('is never too narrow, too wide or before 1970', () => {
    let span = hour;
    for (let i = 0; i < 60; i += 1) span = zoomed(span, 0.5);
    expect(span.to - span.from).toBe(1_000);
    for (let i = 0; i < 80; i += 1) span = zoomed(span, 2);
    expect(span.to - span.from).toBe(40 * 365 * 86_400_000);
    expect(zoomed({ from: 0, to: 1_000 }, 8)).toEqual({ from: 0, to: 8_000 });
    expect(panned({ from: 10, to: 110 }, -1)).toEqual({ from: 0, to: 100 });
  });

  it('is moved by a share of its width', () => {
    expect(panned(hour, 0.25)).toEqual({ from: NOON + 900_000, to: NOON + 4_500_000 });
  });

  it('shows everything and now, with a margin', () => {
    const whole = wholeOf([entry('a', 0), entry('b', -1_000)], NOON + 1_000_000);
    expect(whole.from).toBeLessThan(NOON - 1_000_000);
    expect(whole.to).toBeGreaterThan(NOON + 1_000_000);
    expect(wholeOf([], NOON)).toEqual({ from: NOON - 1_000, to: NOON + 1_000 });
  });

  it.each([[hour, 8, 600_000], [{ from: NOON, to: NOON + 30_000 }, 8, 5_000], [{ from: NOON, to: NOON + 40 * 86_400_000 }, 8, 7 * 86_400_000]])('has round times, not too many', (span, most, step) => {
    const ticks = ticksOf(span, most);
    expect(ticks.step).toBe(step);
    expect(ticks.times.length).toBeLessThanOrEqual(most + 1);
    expect(ticks.times.every((time) => time >= span.from && time < span.to)).toBe(true);
  });
});

describe('bars', () => {
  const of = (behavior: string, code: string) => ({ facts: { behavior, code } });
  it('last from what is raised to what is cleared, each to its own', () => {
    const bars = barsOf([
      entry('hot', 10, of('thermal', 'hot')), entry('cold', 20, of('thermal', 'cold')), entry('over', 30, { what: 'alert-cleared', ...of('thermal', 'hot') }),
      entry('again', 40, of('thermal', 'hot')), entry('stale', 50, { what: 'twin-stale', kind: 'samples' }), entry('live', 55, { what: 'twin-live', kind: 'samples' }),
    ], hour);
    const ends = Object.fromEntries(bars.map((bar) => [bar.entry.id, bar.to === null ? null : (bar.to - NOON) / 1_000]));
    expect(ends).toEqual({ hot: 30, cold: 3_600, over: null, again: 3_600, stale: 55, live: null });
  });

  it('of a work order last as long as it says', () => {
    const [bar] = barsOf([entry('w', 10, { kind: 'record', what: 'work-order', until: new Date(NOON + 60_000).toISOString() })], hour);
    expect(bar?.to).toBe(NOON + 60_000);
  });

  it('do not cover each other while there are rows, and are cut at the ends', () => {
    const lasting = (id: string, from: number, to: number) => entry(id, from, { what: 'work-order', until: new Date(NOON + to * 1_000).toISOString() });
    const bars = barsOf([lasting('a', -100, 1_800), lasting('b', 900, 2_700), lasting('c', 1_900, 9_000), lasting('d', 950, 1_000), entry('out', 9_999, { what: 'x' })], hour);
    const found = placed(bars, hour, 2, 0.01);
    expect(found.map((one) => [one.bar.entry.id, one.row])).toEqual([['a', 0], ['b', 1], ['d', 1], ['c', 0]]);
    expect(found[0]).toMatchObject({ left: 0, width: 0.5 });
    expect((found[3]?.left ?? 0) + (found[3]?.width ?? 0)).toBeCloseTo(1);
  });
});

describe('keys', () => {
  const bars = barsOf([
    entry('v', 100, { kind: 'version', what: 'version' }), entry('a1', 10, { what: 'x' }), entry('a2', 90, { what: 'x' }), entry('r', 60, { kind: 'record', what: 'batch' }),
  ], hour);
  it.each<[string | null, string, string | null]>([
    ['a1', 'ArrowRight', 'r'], ['r', 'ArrowLeft', 'a1'], ['a1', 'ArrowLeft', 'a1'], ['v', 'ArrowRight', 'v'], ['v', 'ArrowDown', 'a2'], ['r', 'ArrowUp', 'a2'],
    ['a1', 'ArrowUp', 'v'], ['r', 'ArrowDown', 'r'], ['r', 'Home', 'a1'], ['r', 'End', 'v'], [null, 'ArrowLeft', 'v'], ['gone', 'ArrowUp', 'v'],
  ])('from %s by %s to %s', (at, key, expected) => {
    expect(stepFrom(bars, at, key)).toBe(expected);
  });

  it('lead nowhere where there is nothing', () => {
    expect(stepFrom([], null, 'ArrowRight')).toBeNull();
  });
});

describe('pages', () => {
  it('are joined, each entry once, the newest first, the later answer counting', () => {
    const all = joined([entry('a', 1), entry('b', 2)], [entry('b', 2, { title: 'corrected' }), entry('c', 3)]);
    expect(all.map((one) => one.title)).toEqual(['c', 'corrected', 'a']);
  });

  it('say how many there are', () => {
    expect(foundWords(1, false)).toBe('1 entry');
    expect(foundWords(12, true)).toBe('12 entries, and more of them');
  });
});

describe('what explains', () => {
  const session = (twins: string[]): Session => ({ name: 'ada', kind: 'person', owner: null, roles: ['viewer'], twins, users: true });
  const explained = entry('c', 1, { explain: { ...none, command: '0199-a', rollout: 7, rows: { from: '2026-03-01T12:00:00Z', to: '2026-03-01T12:01:00Z' } } });

  it('leads to the command, the rollout and the twin', () => {
    expect(waysOf(explained, 'rig 1', null).map((way) => way.href)).toEqual(['#/commands/0199-a', '#/rollouts/7', '#/twin/rig%201']);
    expect(waysOf(entry('a', 1), 'rig 1', null)).toEqual([]);
  });

  it('leads to no rollout for whoever sees some twins only', () => {
    expect(waysOf(explained, 'rig-1', session(['rig-*'])).map((way) => way.text)).toEqual(['Command and its course', 'Plots of the twin']);
    expect(waysOf(explained, 'rig-1', session(['*']))).toHaveLength(3);
  });
});

it('stretches of samples end where a gap begins', () => {
  expect(stretchesOf([0, 10, 20, 50, 60], 10)).toEqual([{ from: 0, to: 30 }, { from: 50, to: 70 }]);
  expect(stretchesOf([], 10)).toEqual([]);
});

it('every kind has words of its own', () => {
  expect(new Set(KINDS.map(kindWords)).size).toBe(KINDS.length);
});

it('the address of a thread leads back to it', () => {
  for (const id of ['a', 'a/b', 'ä ö', '100%']) expect(routeOf(threadHref(id))).toEqual({ page: 'thread', id });
  expect(routeOf('#/thread/')).toEqual({ page: 'fleet' });
});
