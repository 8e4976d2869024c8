// Alarms on the page: their order, the orders that fit them, and what a live event does to the list.
import { describe, expect, it } from 'vitest';
import { alarmKey, countsByPriority, isSuppressed, markWords, ordersFor, sortedAlarms, stateWords, wantsAcknowledgement, withAlarm } from './alarm';
import type { Alarm, AlarmCounts, AlarmMark, AlarmState } from './alarm-shapes';

const STATES: AlarmState[] = [
  'normal', 'unacknowledged', 'acknowledged', 'returned', 'latched-unacknowledged', 'latched-acknowledged', 'shelved', 'suppressed-by-design',
  'suppressed-by-staleness', 'out-of-service',
];
const mark: AlarmMark = { by: 'Ann', at: '2026-03-01T12:00:00Z', reason: '', until: null };

function alarm(name: string, more: Partial<Alarm> = {}): Alarm {
  return {
    twin: 'rig-1', name, priority: 'high', state: 'unacknowledged', message: 'words', consequence: '', response: '', value: 1, unit: '1', detail: '',
    since: '2026-03-01T12:00:00Z', raised: '2026-03-01T12:00:00Z', latch: false, group: null, first_out: false, chattering: false, standing: false, told: 1,
    acknowledged: null, shelved: null, out_of_service: null, ...more,
  };
}

describe('the list', () => {
  const list = [
    alarm('old'), alarm('new', { raised: '2026-03-01T12:00:01Z' }), alarm('worst', { priority: 'critical', raised: '2020-01-01T00:00:00Z' }),
    alarm('least', { priority: 'low', raised: null, since: '2026-03-02T00:00:00Z' }), alarm('b10'), alarm('b9'),
  ];

  it('is by priority, then by time, newest first, then by name', () => {
    expect(sortedAlarms(list).map((a) => a.name)).toEqual(['worst', 'new', 'b9', 'b10', 'old', 'least']);
  });

  it('takes a changed alarm in its place, once, and lets a normal one go', () => {
    const changed = withAlarm(list, alarm('old', { state: 'acknowledged', priority: 'critical' }));
    expect(changed.map((a) => a.name)).toEqual(['old', 'worst', 'new', 'b9', 'b10', 'least']);
    expect(withAlarm(changed, alarm('old', { state: 'normal' })).some((a) => a.name === 'old')).toBe(false);
  });

  it('tells alarms of two twins apart', () => {
    expect(withAlarm([alarm('a')], alarm('a', { twin: 'rig-2', state: 'normal' }))).toHaveLength(1);
    expect(alarmKey(alarm('a'))).not.toBe(alarmKey(alarm('a', { twin: 'rig-2' })));
  });
});

describe('orders', () => {
  it.each<[AlarmState, Partial<Alarm>, string]>([
    ['unacknowledged', {}, 'acknowledge shelve out-of-service'], ['returned', {}, 'acknowledge shelve out-of-service'], ['latched-unacknowledged', {}, 'acknowledge shelve out-of-service'],
    ['acknowledged', {}, 'shelve out-of-service'], ['latched-acknowledged', {}, 'reset shelve out-of-service'], ['suppressed-by-design', {}, 'shelve out-of-service'],
    ['shelved', { shelved: mark }, 'unshelve out-of-service'], ['out-of-service', { out_of_service: mark, shelved: mark }, 'in-service'],
  ])('that fit %s', (state, more, expected) => {
    expect(ordersFor(alarm('a', { state, ...more })).join(' ')).toBe(expected);
  });
});

describe('words', () => {
  it('differ for every state, so that none needs a colour', () => {
    expect(new Set(STATES.map(stateWords)).size).toBe(STATES.length);
  });

  it('say what waits for a person and what is suppressed', () => {
    expect(STATES.filter(wantsAcknowledgement)).toEqual(['unacknowledged', 'returned', 'latched-unacknowledged']);
    expect(STATES.filter(isSuppressed)).toEqual(['shelved', 'suppressed-by-design', 'suppressed-by-staleness', 'out-of-service']);
  });

  it('say who did the last thing, why and until when', () => {
    expect(markWords(alarm('a'))).toBe('');
    expect(markWords(alarm('a', { acknowledged: { ...mark, reason: 'seen' } }))).toBe('acknowledged by Ann: seen');
    expect(markWords(alarm('a', { acknowledged: mark, shelved: { ...mark, until: '2026-03-01T13:00:00Z' } }))).toMatch(/^shelved by Ann until 2026-03-0\d \d\d:\d\d:00$/);
    expect(markWords(alarm('a', { shelved: mark, out_of_service: mark }))).toBe('out of service by Ann');
  });
});

it('counts in the header name only priorities that there are', () => {
  const counts = { critical: 1, high: 0, medium: 0, low: 12 } as AlarmCounts;
  expect(countsByPriority(counts)).toEqual([['critical', 1], ['low', 12]]);
});
