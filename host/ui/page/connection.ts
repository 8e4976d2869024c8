// The state of the page's connection to the host as a pure machine: what happened goes in, what to show comes
// out. `stream.ts` feeds it from the event stream, `house.svelte.ts` from the poll of /site. An event stream
// that hangs says nothing (heartbeats are comments, which browsers hide), so two failed polls in a row also
// count as a loss.

export type Phase = 'connecting' | 'live' | 'lost';

export interface Connection {
  phase: Phase;
  /** The stream itself is open, whatever the polls say. */
  open: boolean;
  /** When the host was last heard, wall clock in ms; values shown are of this time. */
  heard: number | null;
  /** When the loss was noticed; null unless lost. */
  lost: number | null;
  /** Identity of the last event, from which to resume. */
  lastId: string | null;
  /** Polls that failed since the last that did not. */
  failedPolls: number;
  /** Attempts to reopen since the stream was last open. */
  attempts: number;
}

export type Happening =
  | { kind: 'opened'; now: number }
  | { kind: 'event'; id: string; now: number }
  | { kind: 'failed'; now: number }
  | { kind: 'polled'; ok: boolean; now: number };

/** Polls that may fail in a row before the connection counts as lost. */
const FAILED_POLLS_MAX = 1;
const RETRY_MS_FIRST = 1_000;
const RETRY_MS_MAX = 15_000;

export const START: Connection = {
  phase: 'connecting', open: false, heard: null, lost: null, lastId: null, failedPolls: 0, attempts: 0,
};

export function next(before: Connection, happening: Happening): Connection {
  switch (happening.kind) {
    case 'opened':
      return { ...before, phase: 'live', open: true, heard: happening.now, lost: null, failedPolls: 0, attempts: 0 };
    case 'event': {
      const lastId = happening.id === '' ? before.lastId : happening.id;
      return { ...before, phase: 'live', open: true, heard: happening.now, lost: null, lastId };
    }
    case 'failed':
      return { ...loss(before, happening.now), open: false, attempts: before.attempts + 1 };
    case 'polled':
      return happening.ok ? pollHeard(before, happening.now) : pollFailed(before, happening.now);
  }
}

function pollHeard(before: Connection, now: number): Connection {
  if (!before.open) return { ...before, failedPolls: 0 };
  return { ...before, phase: 'live', heard: now, lost: null, failedPolls: 0 };
}

function pollFailed(before: Connection, now: number): Connection {
  const failedPolls = before.failedPolls + 1;
  const counted = { ...before, failedPolls };
  return failedPolls > FAILED_POLLS_MAX ? loss(counted, now) : counted;
}

function loss(before: Connection, now: number): Connection {
  return { ...before, phase: 'lost', lost: before.lost ?? now };
}

/** How long to wait before the next attempt to open the stream: doubling, bounded. */
export function retryMs(connection: Connection): number {
  return Math.min(RETRY_MS_MAX, RETRY_MS_FIRST * 2 ** Math.max(0, connection.attempts - 1));
}
