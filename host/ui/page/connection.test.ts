import { describe, expect, it } from 'vitest';
import { START, next, retryMs, type Connection, type Happening } from './connection';

const after = (...happenings: Happening[]): Connection => happenings.reduce(next, START);
const opened: Happening = { kind: 'opened', now: 10 };
const failed = (now: number): Happening => ({ kind: 'failed', now });
const polled = (ok: boolean, now: number): Happening => ({ kind: 'polled', ok, now });

describe('connection', () => {
  it.each<[string, Happening[], Partial<Connection>]>([
    ['starts connecting', [], { phase: 'connecting', heard: null, lost: null }],
    ['is live when the stream opens', [opened], { phase: 'live', open: true, heard: 10 }],
    ['keeps the last id, an empty one changes nothing', [opened, { kind: 'event', id: '7', now: 20 }, { kind: 'event', id: '', now: 30 }], { lastId: '7', heard: 30 }],
    ['is lost when the stream fails, and values are of when it was last heard', [opened, { kind: 'event', id: '7', now: 20 }, failed(40)], { phase: 'lost', heard: 20, lost: 40, lastId: '7' }],
    ['keeps the time of the first loss', [opened, failed(40), failed(90)], { lost: 40, attempts: 2 }],
    ['is live again after reopening, with the id to resume from', [opened, { kind: 'event', id: '7', now: 20 }, failed(40), { kind: 'opened', now: 60 }], { phase: 'live', lost: null, heard: 60, lastId: '7', attempts: 0 }],
    ['one failed poll is no loss', [opened, polled(false, 50)], { phase: 'live', failedPolls: 1 }],
    ['two failed polls are, though the stream looks open', [opened, polled(false, 50), polled(false, 70)], { phase: 'lost', lost: 70, open: true }],
    ['a good poll ends that', [opened, polled(false, 50), polled(false, 70), polled(true, 90)], { phase: 'live', lost: null, heard: 90 }],
    ['a good poll does not hide a stream that failed', [opened, failed(40), polled(true, 50)], { phase: 'lost', lost: 40 }],
    ['failed polls before anything was heard are a loss too', [polled(false, 5), polled(false, 7)], { phase: 'lost', heard: null }],
  ])('%s', (_, happenings, expected) => {
    expect(after(...happenings)).toMatchObject(expected);
  });

  it('waits longer from attempt to attempt, but never more than 15 s', () => {
    const waits = [1, 2, 3, 4, 5, 6, 40].map((attempts) => retryMs({ ...START, attempts }));
    expect(waits).toEqual([1000, 2000, 4000, 8000, 15000, 15000, 15000]);
  });
});
