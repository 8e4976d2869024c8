// Holds the one event stream of the page: opens it for the twins in view, resumes where it ended, hands events
// on as parsed JSON. Browsers resume by themselves after a network error but give up after an HTTP error; then
// it is opened anew with `last_event_id`. What the connection looks like is decided in `connection.ts`.
import { START, next, retryMs, type Connection, type Happening } from './connection';
import type { Alarm } from './alarm-shapes';
import type { RolloutEvent } from './rollout-shapes';
import type { Entry, HelloEvent, TwinEvent, ValuesEvent } from './shapes';

/** The part of EventSource that is used, so that tests can stand in for it. */
export interface Source {
  readonly readyState: number;
  onopen: ((event: Event) => unknown) | null;
  onerror: ((event: Event) => unknown) | null;
  addEventListener(kind: string, listener: (event: MessageEvent<string>) => void): void;
  close(): void;
}

const CLOSED = 2;
/** How long reasons to read everything again are gathered. */
const REREAD_MS = 100;

export interface Listener {
  values?(event: ValuesEvent): void;
  twin?(event: TwinEvent): void;
  journal?(entry: Entry): void;
  rollout?(event: RolloutEvent): void;
  alarm?(alarm: Alarm): void;
  /** The stream has a hole: read everything again. */
  resync?(reason: string): void;
}

export interface Surroundings {
  open(url: string): Source;
  now(): number;
  after(ms: number, action: () => void): () => void;
}

export class Stream {
  connection: Connection = START;
  private source: Source | null = null;
  private twins: string[] = [];
  private cancelRetry: (() => void) | null = null;
  private cancelReread: (() => void) | null = null;
  private listeners = new Set<Listener>();

  constructor(private readonly around: Surroundings, private readonly changed: (connection: Connection) => void) {}

  /** Returns the way to stop listening. */
  listen(listener: Listener): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Values are wanted of these twins; reopens only if they differ. */
  watch(twins: string[]): void {
    const wanted = [...twins].sort();
    const same = wanted.join('\n') === this.twins.join('\n');
    if (this.source !== null && same) return;
    this.twins = wanted;
    // What was heard was about other twins: this is a new beginning, and pages read anew when it has begun.
    if (!same) this.connection = { ...this.connection, lastId: null };
    this.reopen();
  }

  stop(): void {
    this.cancelRetry?.();
    this.cancelRetry = null;
    this.source?.close();
    this.source = null;
  }

  happened(happening: Happening): void {
    this.connection = next(this.connection, happening);
    this.changed(this.connection);
  }

  url(): string {
    const members = new URLSearchParams();
    if (this.twins.length > 0) members.set('twins', this.twins.join(','));
    if (this.connection.lastId !== null) members.set('last_event_id', this.connection.lastId);
    const text = members.toString();
    return text === '' ? '/api/v1/events' : `/api/v1/events?${text}`;
  }

  private reopen(): void {
    this.stop();
    const source = this.around.open(this.url());
    this.source = source;
    source.onopen = () => this.happened({ kind: 'opened', now: this.around.now() });
    source.onerror = () => this.failed(source);
    this.on<HelloEvent>(source, 'hello', (hello) => {
      if (!hello.resumed) this.reread('the stream begins here');
    });
    this.on<ValuesEvent>(source, 'values', (event) => this.tell((l) => l.values?.(event)));
    this.on<TwinEvent>(source, 'twin', (event) => this.tell((l) => l.twin?.(event)));
    this.on<Entry | { entry: Entry }>(source, 'journal', (event) =>
      this.tell((l) => l.journal?.('entry' in event ? event.entry : event)));
    this.on<RolloutEvent>(source, 'rollout', (event) => this.tell((l) => l.rollout?.(event)));
    this.on<Alarm>(source, 'alarm', (alarm) => this.tell((l) => l.alarm?.(alarm)));
    this.on<{ reason: string }>(source, 'resync', (event) => this.reread(event.reason));
  }

  private failed(source: Source): void {
    if (source !== this.source) return;
    this.happened({ kind: 'failed', now: this.around.now() });
    if (source.readyState !== CLOSED) return;
    this.cancelRetry?.();
    this.cancelRetry = this.around.after(retryMs(this.connection), () => this.reopen());
  }

  /** Tells the pages to read everything again, once for reasons that come together. */
  private reread(reason: string): void {
    if (this.cancelReread !== null) return;
    this.cancelReread = this.around.after(REREAD_MS, () => {
      this.cancelReread = null;
      this.tell((l) => l.resync?.(reason));
    });
  }

  private on<T>(source: Source, kind: string, act: (event: T) => void): void {
    source.addEventListener(kind, (message) => {
      if (source !== this.source) return;
      this.happened({ kind: 'event', id: message.lastEventId, now: this.around.now() });
      let event: T;
      try {
        event = JSON.parse(message.data) as T;
      } catch {
        this.reread(`an event of kind ${kind} could not be read`);
        return;
      }
      act(event);
    });
  }

  private tell(act: (listener: Listener) => void): void {
    for (const listener of this.listeners) act(listener);
  }
}
