// One curve's points in a bounded buffer: history is loaded once, live values are appended, and when the buffer
// is full its older half is halved by merging neighbours with their extremes kept, so a page that is open for a
// month holds no more than one that is open for an hour. A point has a time, a value (null: none that may be
// used) and the lowest and highest value it stands for.
import type { Series } from './shapes';

/** Points a curve may hold. */
export const POINTS_MAX = 6_000;
/** Quality numbers from here on are not drawn: bad, stale, missing. */
const UNUSABLE = 2;

export class Curve {
  times: number[] = [];
  values: (number | null)[] = [];
  low: (number | null)[] = [];
  high: (number | null)[] = [];
  /** Typical distance of the loaded points in ms; null when they are raw or too few. */
  step: number | null = null;

  constructor(readonly pointsMax: number = POINTS_MAX) {}

  get length(): number {
    return this.times.length;
  }

  get lastTime(): number | null {
    return this.times.at(-1) ?? null;
  }

  /** Takes history; live points that came meanwhile and are later stay. Of equal times the stored one wins. */
  load(series: Series): void {
    const newer = this.after(series.times_ms.at(-1) ?? Number.NEGATIVE_INFINITY);
    this.clear();
    this.step = series.decimated ? median(series.times_ms) : null;
    for (const [i, time] of series.times_ms.entries()) {
      const value = series.values[i] ?? null;
      const usable = value !== null && (series.decimated || (series.quality[i] ?? 0) < UNUSABLE) ? value : null;
      const spread = series.decimated && usable !== null;
      this.push(time, usable, spread ? series.min[i] ?? usable : usable, spread ? series.max[i] ?? usable : usable);
    }
    for (const [time, value, low, high] of newer) this.push(time, value, low, high);
    this.shrink();
  }

  /** Appends a live value; one that is not later than the last is dropped. True if it was taken. */
  append(time: number, value: number | null, quality: number): boolean {
    const last = this.lastTime;
    if (last !== null && time <= last) return false;
    const usable = quality < UNUSABLE && value !== null && Number.isFinite(value) ? value : null;
    this.push(time, usable, usable, usable);
    this.shrink();
    return true;
  }

  /** Forgets what is before a time, but keeps one point so that a line can enter the window. */
  trim(from: number): void {
    const keep = Math.max(0, this.indexAtOrAfter(from) - 1);
    if (keep < this.pointsMax / 4) return;
    for (const column of this.columns()) column.splice(0, keep);
  }

  clear(): void {
    for (const column of this.columns()) column.length = 0;
    this.step = null;
  }

  /** First index whose time is not before this one; `length` if there is none. */
  indexAtOrAfter(time: number): number {
    let low = 0;
    let high = this.times.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.times[middle] ?? 0) < time) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  private columns(): unknown[][] {
    return [this.times, this.values, this.low, this.high];
  }

  private after(time: number): [number, number | null, number | null, number | null][] {
    const kept: [number, number | null, number | null, number | null][] = [];
    for (let i = this.indexAtOrAfter(time); i < this.length; i += 1) {
      const at = this.times[i] ?? 0;
      if (at > time) kept.push([at, this.values[i] ?? null, this.low[i] ?? null, this.high[i] ?? null]);
    }
    return kept;
  }

  private push(time: number, value: number | null, low: number | null, high: number | null): void {
    this.times.push(time);
    this.values.push(value);
    this.low.push(low);
    this.high.push(high);
  }

  private shrink(): void {
    while (this.length > this.pointsMax) this.mergeOlderHalf();
  }

  /** Pairs of the older half become one point each; a pair with a hole in it keeps the hole. */
  private mergeOlderHalf(): void {
    const half = Math.floor(this.length / 4) * 2;
    const merged = new Curve(this.pointsMax);
    for (let i = 0; i < half; i += 2) {
      const [a, b] = [this.values[i] ?? null, this.values[i + 1] ?? null];
      const time = this.times[i + 1] ?? 0;
      if (a === null || b === null) merged.push(time, null, null, null);
      else merged.push(time, (a + b) / 2, least(this.low[i], this.low[i + 1]), most(this.high[i], this.high[i + 1]));
    }
    const distance = median(merged.times);
    if (distance !== null) this.step = Math.max(this.step ?? 0, distance);
    this.times.splice(0, half, ...merged.times);
    this.values.splice(0, half, ...merged.values);
    this.low.splice(0, half, ...merged.low);
    this.high.splice(0, half, ...merged.high);
  }
}

function least(a: number | null | undefined, b: number | null | undefined): number | null {
  return a == null || b == null ? a ?? b ?? null : Math.min(a, b);
}

function most(a: number | null | undefined, b: number | null | undefined): number | null {
  return a == null || b == null ? a ?? b ?? null : Math.max(a, b);
}

/** Median distance of increasing times; null for fewer than three. */
export function median(times: readonly number[]): number | null {
  if (times.length < 3) return null;
  const distances = times.slice(1).map((time, i) => time - (times[i] ?? time));
  distances.sort((a, b) => a - b);
  return distances[Math.floor(distances.length / 2)] ?? null;
}

/**
 * Distance between two points from which on the line is broken: five expected intervals (then the host calls it
 * stale), or two and a half buckets where history was thinned. Without either, five times the typical distance.
 */
export function gapMs(interval: number | null, step: number | null, typical: number | null): number {
  const byInterval = interval !== null ? 5 * interval : typical !== null ? 5 * typical : Number.POSITIVE_INFINITY;
  return step !== null ? Math.max(byInterval, 2.5 * step) : byInterval;
}
