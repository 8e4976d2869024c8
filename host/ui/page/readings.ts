// The newest value of each point, from whole reads of a twin and from live events, whichever is newer by source
// time. Ages are counted on the page's monotonic clock from the age the host gave, so the two clocks need not agree.
import { QUALITIES, type Point, type Quality, type ValuesEvent } from './shapes';

export interface Reading {
  value: number | null;
  quality: Quality;
  /** Source time, ms since 1970; null if there never was one. */
  time: number | null;
  /** Age when it was read; null if there never was a sample. */
  age_ms: number | null;
  /** Monotonic time at which it was that old. */
  at: number;
}

export type Readings = ReadonlyMap<string, Reading>;

export function readingsOf(points: readonly Point[], before: Readings, at: number): Map<string, Reading> {
  const readings = new Map<string, Reading>();
  for (const point of points) {
    const time = point.time === null ? null : Date.parse(point.time);
    const known = before.get(point.name);
    const newer = known?.time != null && (time === null || time < known.time);
    const fresh = { value: point.value, quality: point.quality, time, age_ms: point.age_ms, at };
    readings.set(point.name, newer && known !== undefined ? known : fresh);
  }
  return readings;
}

/** Live values are of this moment. A point that the twin did not have is left out; the next whole read brings it. */
export function withValues(before: Readings, event: ValuesEvent, at: number): Map<string, Reading> {
  const readings = new Map(before);
  for (const [name, [time, value, quality]] of Object.entries(event.points)) {
    if (!before.has(name)) continue;
    readings.set(name, { value, quality: QUALITIES[quality] ?? 'bad', time, age_ms: 0, at });
  }
  return readings;
}

export function ageNow(age_ms: number | null, at: number, now: number): number | null {
  return age_ms === null ? null : age_ms + Math.max(0, now - at);
}
