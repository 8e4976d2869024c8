import { describe, expect, it } from 'vitest';
import { align, type Source } from './align';
import { Curve } from './curve';

function source(points: [number, number | null][], more: Partial<Source> = {}): Source {
  const curve = new Curve();
  for (const [time, value] of points) curve.append(time, value, 0);
  return { curve, interval: 1_000, deviation: null, ...more };
}

describe('align', () => {
  it('puts curves on one axis; where a curve has no point the line goes on', () => {
    const { times, columns } = align([source([[0, 1], [1_000, 2]]), source([[500, 7], [1_000, 8]])], 0, 2_000);
    expect(times).toEqual([0, 500, 1_000]);
    expect(columns.map((c) => c.values)).toEqual([[1, undefined, 2], [undefined, 7, 8]]);
  });

  it('breaks the line of the curve that paused, and of no other', () => {
    const { times, columns } = align([source([[0, 1], [9_000, 2]]), source([[0, 5], [4_000, 6], [8_000, 7]])], 0, 9_000);
    expect(times).toEqual([0, 1, 4_000, 8_000, 9_000]);
    expect(columns[0]?.values).toEqual([1, null, undefined, undefined, 2]);
    expect(columns[1]?.values).toEqual([5, undefined, 6, 7, undefined]);
  });

  it('does not break a line at exactly five intervals, which is when the host says stale', () => {
    expect(align([source([[0, 1], [5_000, 2]])], 0, 9_000).times).toEqual([0, 5_000]);
    expect(align([source([[0, 1], [5_001, 2]])], 0, 9_000).times).toEqual([0, 1, 5_001]);
  });

  it('breaks the line where a value may not be used', () => {
    expect(align([source([[0, 1], [1_000, null], [2_000, 3]])], 0, 9_000).columns[0]?.values).toEqual([1, null, 3]);
  });

  it('takes one point before the window and none after it', () => {
    const { times } = align([source([[0, 1], [1_000, 2], [2_000, 3], [3_000, 4]])], 1_500, 2_500);
    expect(times).toEqual([1_000, 2_000]);
  });

  it('spans two deviations to each side, and nothing where the deviation is not known', () => {
    const deviation = source([[0, 0.5], [2_000, 1]]).curve;
    const [column] = align([source([[0, 10], [1_000, 11], [2_000, 12]], { deviation })], 0, 9_000).columns;
    expect(column?.low).toEqual([9, null, 10]);
    expect(column?.high).toEqual([11, null, 14]);
    expect(column?.banded).toBe(true);
  });

  it('shows no band for raw values and one for the extremes of thinned history', () => {
    expect(align([source([[0, 1], [1_000, 2]])], 0, 9_000).columns[0]?.banded).toBe(false);
    const thinned = new Curve();
    thinned.load({ point: 'p', unit: '1', decimated: true, times_ms: [0, 1_000], values: [1, 2], min: [0, 1], max: [2, 3], quality: [0, 0] });
    const [column] = align([{ curve: thinned, interval: 1_000, deviation: null }], 0, 9_000).columns;
    expect([column?.banded, column?.low, column?.high]).toEqual([true, [0, 1], [2, 3]]);
  });

  it('has nothing to show of nothing', () => {
    expect(align([source([])], 0, 1)).toEqual({ times: [], columns: [{ values: [], low: [], high: [], banded: false }] });
  });
});
