import { beforeEach, describe, expect, it } from 'vitest';
import type { Connection } from './connection';
import { Stream, type Source } from './stream';

class FakeSource implements Source {
  readyState = 0;
  onopen: Source['onopen'] = null;
  onerror: Source['onerror'] = null;
  closed = false;
  private listeners = new Map<string, (event: MessageEvent<string>) => void>();
  constructor(readonly url: string) {}
  addEventListener(kind: string, listener: (event: MessageEvent<string>) => void): void {
    this.listeners.set(kind, listener);
  }
  close(): void {
    this.closed = true;
    this.readyState = 2;
  }
  open(): void {
    this.readyState = 1;
    this.onopen?.({} as Event);
  }
  fail(readyState: number): void {
    this.readyState = readyState;
    this.onerror?.({} as Event);
  }
  event(kind: string, data: unknown, lastEventId = ''): void {
    const text = typeof data === 'string' ? data : JSON.stringify(data);
    this.listeners.get(kind)?.({ data: text, lastEventId } as MessageEvent<string>);
  }
}

let sources: FakeSource[];
let timers: { ms: number; act: () => void; cancelled: boolean }[];
let seen: Connection[];
let heard: string[];
let stream: Stream;
const last = (): FakeSource => sources.at(-1) as FakeSource;
const elapse = (): void => timers.splice(0).forEach((timer) => { if (!timer.cancelled) timer.act(); });

beforeEach(() => {
  [sources, timers, seen, heard] = [[], [], [], []];
  stream = new Stream({
    open: (url) => {
      const source = new FakeSource(url);
      sources.push(source);
      return source;
    },
    now: () => 1_000,
    after: (ms, act) => {
      const timer = { ms, act, cancelled: false };
      timers.push(timer);
      return () => { timer.cancelled = true; };
    },
  }, (connection) => seen.push(connection));
  stream.listen({
    values: (event) => heard.push(`values ${event.twin}`),
    journal: (entry) => heard.push(`journal ${entry.seq}`),
    twin: (event) => heard.push(`twin ${event.id}`),
    resync: (reason) => heard.push(`resync ${reason}`),
  });
});

describe('stream', () => {
  it('asks for the twins in view and reopens only when they differ', () => {
    stream.watch(['b', 'a']);
    stream.watch(['a', 'b']);
    expect(sources.map((s) => s.url)).toEqual(['/api/v1/events?twins=a%2Cb']);
    stream.watch([]);
    expect(last().url).toBe('/api/v1/events');
    expect(sources[0]?.closed).toBe(true);
  });

  it('hands events on, a journal entry bare or wrapped', () => {
    stream.watch(['a']);
    last().open();
    last().event('values', { twin: 'a', points: {} }, '1');
    last().event('twin', { id: 'a' }, '2');
    last().event('journal', { seq: 5 }, '3');
    last().event('journal', { entry: { seq: 6 } }, '4');
    expect(heard).toEqual(['values a', 'twin a', 'journal 5', 'journal 6']);
    expect(seen.at(-1)).toMatchObject({ phase: 'live', lastId: '4' });
  });

  it('leaves resuming to the browser while it tries by itself', () => {
    stream.watch(['a']);
    last().open();
    last().fail(0);
    expect(seen.at(-1)?.phase).toBe('lost');
    expect(timers).toHaveLength(0);
  });

  it('reopens from the last event when the browser has given up', () => {
    stream.watch(['a']);
    last().open();
    last().event('values', { twin: 'a', points: {} }, '41');
    last().fail(2);
    expect(timers.map((t) => t.ms)).toEqual([1000]);
    elapse();
    expect(last().url).toBe('/api/v1/events?twins=a&last_event_id=41');
  });

  it('begins anew for other twins and ignores what the old stream still says', () => {
    stream.watch(['a']);
    last().open();
    last().event('values', { twin: 'a', points: {} }, '41');
    const old = last();
    stream.watch(['b']);
    expect(last().url).toBe('/api/v1/events?twins=b');
    old.event('values', { twin: 'a', points: {} }, '42');
    old.fail(2);
    expect(heard).toEqual(['values a']);
    expect(stream.connection.phase).toBe('live');
  });

  it('has pages read everything again, once, where the stream has a hole or cannot be read', () => {
    stream.watch(['a']);
    last().event('hello', { resumed: false }, '1');
    last().event('resync', { reason: 'missed' }, '2');
    elapse();
    last().event('hello', { resumed: true }, '3');
    elapse();
    last().event('values', '{not json', '4');
    elapse();
    expect(heard).toEqual(['resync the stream begins here', 'resync an event of kind values could not be read']);
  });
});
