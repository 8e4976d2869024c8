import { describe, expect, it } from 'vitest';
import { Curve, gapMs, median } from './curve';
import type { Series } from './shapes';

function series(times_ms: number[], values: (number | null)[], more: Partial<Series> = {}): Series {
  return { point: 'p', unit: '1', decimated: false, times_ms, values, min: [], max: [], quality: values.map(() => 0), ...more };
}

function curve(...points: [number, number | null][]): Curve {
  const made = new Curve();
  for (const [time, value] of points) made.append(time, value, 0);
  return made;
}

describe('a curve', () => {
  it('takes live values in order and drops what is not later', () => {
    const made = curve([1, 10], [2, 20]);
    expect([made.append(2, 99, 0), made.append(1, 99, 0), made.append(3, 30, 0)]).toEqual([false, false, true]);
    expect(made.times).toEqual([1, 2, 3]);
    expect(made.values).toEqual([10, 20, 30]);
  });

  it.each([
    ['good', 0, 5, 5], ['uncertain', 1, 5, 5], ['bad', 2, 5, null], ['stale', 3, 5, null], ['missing', 4, null, null], ['good but infinite', 0, Infinity, null],
  ])('draws a %s value only if it may be used', (_, quality, value, expected) => {
    const made = new Curve();
    made.append(1, value, quality);
    expect(made.values).toEqual([expected]);
  });

  it('joins history with the live values that came while it was read; of equal times the stored one wins', () => {
    const made = curve([30, 3.5], [40, 4], [50, 5]);
    made.load(series([10, 20, 30], [1, 2, 3]));
    expect(made.times).toEqual([10, 20, 30, 40, 50]);
    expect(made.values).toEqual([1, 2, 3, 4, 5]);
  });

  it('forgets what an older load held', () => {
    const made = new Curve();
    made.load(series([1, 2, 3], [1, 2, 3]));
    made.load(series([2, 3], [20, 30]));
    expect(made.times).toEqual([2, 3]);
    expect(made.values).toEqual([20, 30]);
  });

  it('keeps the extremes of thinned history and its step, whatever the worst quality in a bucket was', () => {
    const made = new Curve();
    made.load(series([100, 200, 300], [1, null, 3], { decimated: true, min: [0, null, 2], max: [4, null, 9], quality: [2, 4, 0] }));
    expect([made.values, made.low, made.high, made.step]).toEqual([[1, null, 3], [0, null, 2], [4, null, 9], 100]);
  });

  it('holds no more than its bound however long it runs, keeps extremes and the newest points as they are', () => {
    const made = new Curve(100);
    for (let t = 0; t < 10_000; t += 1) made.append(t, t === 9_700 ? 1e6 : t % 7, 0);
    expect(made.length).toBeLessThanOrEqual(100);
    expect(made.times.every((time, i) => i === 0 || time > (made.times[i - 1] ?? 0))).toBe(true);
    expect(Math.max(...made.high.map((v) => v ?? 0))).toBe(1e6);
    expect(made.values.slice(-10)).toEqual(Array.from({ length: 10 }, (_, i) => (9_990 + i) % 7));
  });

  it('keeps a hole when neighbours are merged', () => {
    const made = new Curve(8);
    for (let t = 0; t < 9; t += 1) made.append(t, t === 1 ? null : t, 0);
    expect(made.values[0]).toBeNull();
    expect(made.values[1]).toBe(2.5);
  });

  it('trims to the window but leaves one point for the line to enter by', () => {
    const made = new Curve(8);
    for (let t = 0; t < 8; t += 1) made.append(t, t, 0);
    made.trim(5);
    expect(made.times).toEqual([4, 5, 6, 7]);
  });
});

describe('gaps', () => {
  it.each<[string, number | null, number | null, number | null, number]>([
    ['five expected intervals', 1_000, null, 400, 5_000],
    ['two and a half buckets where those are longer', 1_000, 86_400, null, 216_000],
    ['the interval where that is longer', 60_000, 86_400, null, 300_000],
    ['five typical distances without an interval', null, null, 200, 1_000],
    ['never without anything', null, null, null, Infinity],
  ])('are %s', (_, interval, step, typical, expected) => {
    expect(gapMs(interval, step, typical)).toBe(expected);
  });

  it('have a median that one long pause does not move', () => {
    expect(median([0, 10, 20, 5_000, 5_010])).toBe(10);
    expect(median([0, 10])).toBeNull();
  });
});
