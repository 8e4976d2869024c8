// Journal entries as the pages keep them: newest first, each once, never more than a bounded number.
import type { Entry, Mark, Severity } from './shapes';

/** Entries that a page keeps. */
export const ENTRIES_MAX = 2_000;

/** Both lists as one: newest first, each number once. What is too much falls off at the old end. */
export function merged(have: readonly Entry[], more: readonly Entry[], max = ENTRIES_MAX): Entry[] {
  const bySeq = new Map<number, Entry>();
  for (const entry of [...have, ...more]) bySeq.set(entry.seq, entry);
  return [...bySeq.values()].sort((a, b) => b.seq - a.seq).slice(0, max);
}

export function filtered(entries: readonly Entry[], severity: Severity | '', text: string): Entry[] {
  const wanted = text.trim().toLowerCase();
  return entries.filter((entry) => (severity === '' || entry.severity === severity) && says(entry, wanted));
}

function says(entry: Entry, wanted: string): boolean {
  if (wanted === '') return true;
  const text = `${entry.kind} ${entry.twin ?? ''} ${entry.plugin ?? ''} ${entry.message}`;
  return text.toLowerCase().includes(wanted);
}

/**
 * Where a finished swap stands on a twin's time axis: the time of its first row if the entry tells it, else the
 * entry's time, or the newest sample's when the field plays old data and the entry's time is nowhere near.
 */
export function swapTime(entry: Entry, newest: number | null, window_ms: number): number {
  const facts = (entry.facts ?? {}) as Record<string, unknown>;
  for (const name of ['source_time_ms', 'row_time_ms', 'time_ms']) {
    const value = facts[name];
    if (typeof value === 'number') return value;
  }
  const written = Date.parse(entry.time);
  return newest === null || Math.abs(written - newest) < window_ms ? written : newest;
}

/** Nearer than this, two marks are the same swap seen twice: in history and live. */
const SAME_MARK_MS = 5_000;

/** Marks of history, and those seen live that history does not tell of yet. */
export function marksOf(past: readonly Mark[], live: readonly Mark[], max = 100): Mark[] {
  const swaps = past.filter((mark) => mark.kind === 'swap');
  const unknown = live.filter((mark) => !swaps.some((known) => Math.abs(known.time_ms - mark.time_ms) < SAME_MARK_MS));
  return [...swaps, ...unknown].sort((a, b) => a.time_ms - b.time_ms).slice(-max);
}

/** `motor-thermal@1.4.0 → motor-thermal@1.5.0` without saying the name twice; other words as they are. */
export function markLabel(text: string): string {
  return text.replace(/^(\S+)@(\S+(?: \S+)?) → \1@(\S+(?: \S+)?)$/, '$1 $2 → $3');
}
