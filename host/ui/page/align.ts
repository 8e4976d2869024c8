// Brings curves with times of their own onto the one time axis that a plot has. In a column `undefined` means
// "this curve has no point here, go on with the line" and `null` means "the line is broken here", which is how
// uPlot reads them. A band (estimate ± 2 σ, or the extremes of thinned history) becomes two more columns.
import { gapMs, median, type Curve } from './curve';

export interface Source {
  curve: Curve;
  /** Expected distance of samples in ms, if known. */
  interval: number | null;
  /** Standard deviation (1 σ) of the curve, if it has one. */
  deviation: Curve | null;
}

export type Column = (number | null | undefined)[];
export interface Columns { values: Column; low: Column; high: Column; banded: boolean }
export interface Aligned { times: number[]; columns: Columns[] }

interface Row { time: number; value: number | null; low: number | null; high: number | null }

/** How many deviations a band spans to each side. */
const SIGMAS = 2;

export function align(sources: readonly Source[], from: number, to: number): Aligned {
  const rows = sources.map((source) => rowsOf(source, from, to));
  const times = union(rows);
  return { times, columns: rows.map((own) => columnsOf(own, times)) };
}

/** The rows of one curve in the window, one before it, and an empty row in each gap. */
export function rowsOf(source: Source, from: number, to: number): Row[] {
  const { curve, deviation } = source;
  const rows: Row[] = [];
  const gap = gapMs(source.interval, curve.step, source.interval === null ? median(curve.times) : null);
  let before: number | null = null;
  for (let i = Math.max(0, curve.indexAtOrAfter(from) - 1); i < curve.length; i += 1) {
    const time = curve.times[i] ?? 0;
    if (time > to) break;
    if (before !== null && time - before > gap) rows.push({ time: before + 1, value: null, low: null, high: null });
    rows.push(deviation === null ? plain(curve, i) : banded(curve, i, deviation));
    before = time;
  }
  return rows;
}

function plain(curve: Curve, i: number): Row {
  return {
    time: curve.times[i] ?? 0,
    value: curve.values[i] ?? null,
    low: curve.low[i] ?? null,
    high: curve.high[i] ?? null,
  };
}

/** An estimate with its band; a point whose deviation is not known at that time has none. */
function banded(curve: Curve, i: number, deviation: Curve): Row {
  const row = plain(curve, i);
  const place = deviation.indexAtOrAfter(row.time);
  const sigma = deviation.times[place] === row.time ? deviation.values[place] ?? null : null;
  if (row.value === null || sigma === null) return { ...row, low: null, high: null };
  return { ...row, low: row.value - SIGMAS * sigma, high: row.value + SIGMAS * sigma };
}

function union(rows: readonly Row[][]): number[] {
  const all = Float64Array.from(rows.flatMap((own) => own.map((row) => row.time))).sort();
  const times: number[] = [];
  for (const time of all) if (time !== times.at(-1)) times.push(time);
  return times;
}

function columnsOf(rows: readonly Row[], times: readonly number[]): Columns {
  const values: Column = new Array<undefined>(times.length).fill(undefined);
  const low: Column = values.slice();
  const high: Column = values.slice();
  let banded = false;
  let place = 0;
  for (const row of rows) {
    while ((times[place] ?? Number.POSITIVE_INFINITY) < row.time) place += 1;
    values[place] = row.value;
    low[place] = row.low;
    high[place] = row.high;
    banded ||= row.low !== null && row.high !== null && row.high > row.low;
  }
  return { values, low, high, banded };
}
