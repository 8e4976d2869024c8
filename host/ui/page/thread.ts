// The thread of an asset on a line of time: what is seen of it, how it is zoomed, which entries belong together, where each
// stands, and what leads to what explains it. Everything here is a function of its arguments.
import { count } from './format';
import { commandHref, rolloutHref, twinHref } from './route';
import { seesSite, type Session } from './session';
import type { ThreadEntry, ThreadKind } from './thread-shapes';

/** In the order in which they lie below each other. */
export const KINDS: readonly ThreadKind[] = ['design', 'version', 'calibration', 'samples', 'alert', 'decision', 'record', 'event'];

const WORDS: Record<ThreadKind, string> = {
  design: 'Design', version: 'Models and versions', calibration: 'Calibrations', samples: 'Samples', alert: 'Alerts and alarms', decision: 'Decisions',
  record: 'Work orders and records', event: 'Other events',
};
export const kindWords = (kind: ThreadKind): string => WORDS[kind];

/** What is seen of the line, in ms since 1970. */
export interface Span { from: number; to: number }

const SPAN_MS_MIN = 1_000;
const SPAN_MS_MAX = 40 * 365 * 86_400_000;
/** Free space on both sides of the first and last entry, as a share. */
const MARGIN = 0.03;

/** Narrower (factor below 1) or wider, with the time at `share` of the width staying where it is. */
export function zoomed(span: Span, factor: number, share = 0.5): Span {
  const width = span.to - span.from;
  const next = Math.min(SPAN_MS_MAX, Math.max(SPAN_MS_MIN, width * factor));
  const from = Math.max(0, span.from + (width - next) * share);
  return { from, to: from + next };
}

/** Moved by a share of its width. */
export function panned(span: Span, share: number): Span {
  const by = Math.max(-span.from, (span.to - span.from) * share);
  return { from: span.from + by, to: span.to + by };
}

/** What shows all of these and now. */
export function wholeOf(entries: readonly ThreadEntry[], now: number): Span {
  const times = entries.map((entry) => Date.parse(entry.time));
  const [first, last] = [Math.min(now, ...times), Math.max(now, ...times)];
  const margin = Math.max(SPAN_MS_MIN, (last - first) * MARGIN);
  return { from: Math.max(0, first - margin), to: last + margin };
}

/** Where a time stands in what is seen: 0 at its beginning, 1 at its end. */
export const shareOf = (time: number, span: Span): number => (time - span.from) / (span.to - span.from);

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const STEPS = [
  SECOND, 2 * SECOND, 5 * SECOND, 10 * SECOND, 30 * SECOND, MINUTE, 2 * MINUTE, 5 * MINUTE, 10 * MINUTE, 30 * MINUTE, HOUR, 2 * HOUR, 6 * HOUR, 12 * HOUR, DAY,
  2 * DAY, 7 * DAY, 14 * DAY, 30 * DAY, 90 * DAY, 365 * DAY, 5 * 365 * DAY,
];

/** Round times, at most `most` of them, and how far they are apart. */
export function ticksOf(span: Span, most: number): { times: number[]; step: number } {
  const wish = (span.to - span.from) / Math.max(1, most);
  const step = STEPS.find((one) => one >= wish) ?? 10 * 365 * DAY;
  // Whole days begin at midnight here, not in Greenwich.
  const shift = new Date(span.from).getTimezoneOffset() * MINUTE;
  const first = Math.ceil((span.from - shift) / step) * step + shift;
  const times: number[] = [];
  for (let time = first; time < span.to; time += step) times.push(time);
  return { times, step };
}

/** An entry that lasts, or a moment of it. */
export interface Bar { entry: ThreadEntry; from: number; to: number | null }

const END: Record<string, string> = { 'alert-raised': 'alert-cleared', 'alarm-raised': 'alarm-returned', 'twin-stale': 'twin-live' };
const fact = (entry: ThreadEntry, name: string): string => String(entry.facts?.[name] ?? '');
const about = (entry: ThreadEntry): string => ['behavior', 'code', 'alarm'].map((name) => fact(entry, name)).join('\n');

/** One for each entry; what is raised lasts until it is cleared, or to the end of what is seen when it was not. */
export function barsOf(entries: readonly ThreadEntry[], span: Span): Bar[] {
  const byTime = [...entries].sort((a, b) => Date.parse(a.time) - Date.parse(b.time));
  const open = new Map<string, Bar>();
  return byTime.map((entry) => {
    const from = Date.parse(entry.time);
    const bar: Bar = { entry, from, to: entry.until === null ? null : Date.parse(entry.until) };
    const end = END[entry.what];
    const ended = open.get(`${entry.what} ${about(entry)}`);
    if (ended !== undefined) {
      ended.to = from;
      open.delete(`${entry.what} ${about(entry)}`);
    }
    if (end !== undefined) {
      bar.to = Math.max(from, span.to);
      open.set(`${end} ${about(entry)}`, bar);
    }
    return bar;
  });
}

/** A bar with its place in the lane: `row` 0 is the uppermost; shares of the width that is seen, cut at its ends. */
export interface Placed { bar: Bar; row: number; left: number; width: number }

/** Bars of one lane side by side, so that none covers another one as long as there are rows; then the last row takes all. */
export function placed(bars: readonly Bar[], span: Span, rows_max: number, least: number): Placed[] {
  const ends: number[] = [];
  const seen = bars.filter((bar) => (bar.to ?? bar.from) >= span.from && bar.from < span.to);
  return seen.map((bar) => {
    const left = Math.max(0, shareOf(bar.from, span));
    const right = Math.min(1, Math.max(shareOf(bar.to ?? bar.from, span), left));
    const width = Math.max(least, right - left);
    const free = ends.findIndex((end) => end <= left);
    const row = free >= 0 ? free : Math.min(ends.length, rows_max - 1);
    ends[row] = Math.max(ends[row] ?? 0, left + width);
    return { bar, row, left, width };
  });
}

/** Both lists as one, each entry once, newest first. */
export function joined(have: readonly ThreadEntry[], more: readonly ThreadEntry[]): ThreadEntry[] {
  const all = new Map([...have, ...more].map((entry) => [entry.id, entry]));
  return [...all.values()].sort((a, b) => Date.parse(b.time) - Date.parse(a.time));
}

/** The entry to which a key leads: along the line with left and right, to the nearest of another lane with up and down. */
export function stepFrom(bars: readonly Bar[], at: string | null, key: string): string | null {
  const ordered = [...bars].sort((a, b) => a.from - b.from);
  const place = ordered.findIndex((bar) => bar.entry.id === at);
  const here = ordered[place];
  const id = (bar: Bar | undefined): string | null => bar?.entry.id ?? at;
  if (key === 'Home') return id(ordered[0]);
  if (key === 'End') return id(ordered.at(-1));
  if (here === undefined) return id(ordered.at(-1));
  if (key === 'ArrowLeft') return id(ordered[place - 1]);
  if (key === 'ArrowRight') return id(ordered[place + 1]);
  const lane = KINDS.indexOf(here.entry.kind);
  const lanes = key === 'ArrowUp' ? KINDS.slice(0, lane).reverse() : KINDS.slice(lane + 1);
  for (const kind of lanes) {
    const own = ordered.filter((bar) => bar.entry.kind === kind);
    own.sort((a, b) => Math.abs(a.from - here.from) - Math.abs(b.from - here.from));
    if (own[0] !== undefined) return id(own[0]);
  }
  return at;
}

/** A way to what explains an entry. */
export interface Way { href: string; text: string }

/** Pages of this host that explain an entry; those about the whole site only for whoever sees it. */
export function waysOf(entry: ThreadEntry, twin: string, session: Session | null): Way[] {
  const { command, rollout, rows } = entry.explain;
  const ways: Way[] = [];
  if (command !== null) ways.push({ href: commandHref(command), text: 'Command and its course' });
  if (rollout !== null && seesSite(session)) ways.push({ href: rolloutHref(rollout), text: `Rollout ${rollout}` });
  if (rows !== null) ways.push({ href: twinHref(twin), text: 'Plots of the twin' });
  return ways;
}

/** `in 12 entries`, for the ear and the eye. */
export function foundWords(entries: number, more: boolean): string {
  return `${count(entries)} ${entries === 1 ? 'entry' : 'entries'}${more ? ', and more of them' : ''}`;
}

/** Buckets of history that have samples, as stretches: what is not in one of them is a gap. */
export function stretchesOf(times: readonly number[], bucket_ms: number): Span[] {
  const found: Span[] = [];
  for (const time of times) {
    const last = found.at(-1);
    // A bucket is told by its beginning; two that touch are one stretch.
    if (last !== undefined && time <= last.to + bucket_ms / 2) last.to = time + bucket_ms;
    else found.push({ from: time, to: time + bucket_ms });
  }
  return found;
}
