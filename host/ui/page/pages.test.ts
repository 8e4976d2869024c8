// The small rules of the pages: routes, order of the fleet, entries of the journal, newest readings.
import { describe, expect, it } from 'vitest';
import { filtered, markLabel, marksOf, merged, swapTime } from './entries';
import { query } from './fetch';
import { sorted } from './fleet';
import { ageNow, readingsOf, withValues } from './readings';
import { commandHref, rolloutHref, routeOf, startHref, targetsHref, twinHref } from './route';
import type { Entry, Point, Summary } from './shapes';

describe('routes', () => {
  it.each([
    ['', { page: 'fleet' }], ['#/', { page: 'fleet' }], ['#/journal', { page: 'journal' }], ['#/plugins', { page: 'plugins' }], ['#/alarms', { page: 'alarms' }], ['#/certificates', { page: 'certificates' }],
    ['#/twin/motor-7', { page: 'twin', id: 'motor-7' }], ['#/twin/a%2Fb', { page: 'twin', id: 'a/b' }], ['#/twin/a/b', { page: 'twin', id: 'a/b' }],
    ['#/rollouts', { page: 'rollouts' }], ['#/rollouts/12', { page: 'rollout', id: 12 }], ['#/rollouts/x', { page: 'rollouts' }],
    ['#/commands', { page: 'commands' }], ['#/commands/0199-a', { page: 'command', id: '0199-a' }], ['#/targets', { page: 'targets', twin: '' }], ['#/targets/a%2Fb', { page: 'targets', twin: 'a/b' }],
    ['#/rollouts/start/p/sha256%3Aaa', { page: 'start', plugin: 'p', digest: 'sha256:aa' }], ['#/rollouts/start/p', { page: 'rollouts' }], ['#/twin/%zz', { page: 'twin', id: '%zz' }], ['#/twin/', { page: 'fleet' }], ['#/other', { page: 'fleet' }],
  ])('%s', (hash, expected) => {
    expect(routeOf(hash)).toEqual(expected);
  });

  it('lead back to the twin they were made for', () => {
    for (const id of ['a', 'a/b', 'ä ö', '100%']) {
      expect(routeOf(twinHref(id))).toEqual({ page: 'twin', id });
      expect(routeOf(targetsHref(id))).toEqual({ page: 'targets', twin: id });
      expect(routeOf(commandHref(id))).toEqual({ page: 'command', id });
    }
  });

  it('lead back to the rollout and the version that they were made for', () => {
    expect(routeOf(rolloutHref(12))).toEqual({ page: 'rollout', id: 12 });
    expect(routeOf(startHref('a/b', 'sha256:aa'))).toEqual({ page: 'start', plugin: 'a/b', digest: 'sha256:aa' });
  });

  it('of the api leave out what is empty, because the host refuses parameters that it does not know', () => {
    expect(query({ search: '', state: null, after: undefined, limit: 5 })).toBe('?limit=5');
    expect(query({ search: 'a b' })).toBe('?search=a+b');
    expect(query({})).toBe('');
  });
});

function twin(id: string, more: Partial<Summary> = {}): Summary {
  return { id, type: 't', state: 'live', age_ms: 1, health: { index: 1, verdict: 'ok' }, alerts: { active: 0, highest: null }, authority: 'observe', ...more };
}

describe('fleet', () => {
  const fleet = [
    twin('p10', { state: 'stale', age_ms: 9_000, alerts: { active: 3, highest: 'low' } }), twin('p9', { health: { index: null, verdict: 'unknown' } }),
    twin('p2', { health: { index: 0.1, verdict: 'critical' }, alerts: { active: 1, highest: 'critical' } }), twin('p1', { state: 'waiting', age_ms: null, authority: 'control' }),
  ];
  it.each([
    ['id', false, 'p1 p2 p9 p10'], ['id', true, 'p10 p9 p2 p1'], ['state', true, 'p10 p1 p2 p9'], ['age', true, 'p10 p2 p9 p1'],
    ['health', false, 'p9 p2 p1 p10'], ['alerts', true, 'p2 p10 p1 p9'], ['authority', true, 'p1 p2 p9 p10'],
  ] as const)('by %s, downwards %s: %s', (column, down, expected) => {
    expect(sorted(fleet, column, down).map((t) => t.id).join(' ')).toBe(expected);
  });
});

function entry(seq: number, more: Partial<Entry> = {}): Entry {
  return { seq, time: '2026-03-01T12:00:00Z', kind: 'note', severity: 'info', twin: null, plugin: null, message: 'words', facts: null, ...more };
}

describe('journal', () => {
  it('is newest first, each entry once, and bounded at its old end', () => {
    expect(merged([entry(3), entry(1)], [entry(2), entry(3), entry(4)], 3).map((e) => e.seq)).toEqual([4, 3, 2]);
  });

  it('is filtered by severity and by words', () => {
    const entries = [entry(1, { severity: 'error', twin: 'Motor-7' }), entry(2, { message: 'motor started' }), entry(3)];
    expect(filtered(entries, 'error', '').map((e) => e.seq)).toEqual([1]);
    expect(filtered(entries, '', ' MOTOR ').map((e) => e.seq)).toEqual([1, 2]);
    expect(filtered(entries, 'error', 'started')).toEqual([]);
  });

  const noon = Date.parse('2026-03-01T12:00:00Z');
  it.each<[string, unknown, number | null, number]>([
    ['the time of its first row, if it tells', { source_time_ms: 77 }, noon, 77],
    ['when it was written, near the newest sample', null, noon - 5_000, noon],
    ['the newest sample, where old data is played', null, 1_000_000, 1_000_000],
    ['when it was written, where nothing is known', {}, null, noon],
  ])('marks a swap at %s', (_, facts, newest, expected) => {
    expect(swapTime(entry(1, { facts }), newest, 600_000)).toBe(expected);
  });
});

describe('marks', () => {
  const mark = (time_ms: number, text = 'a@2', kind = 'swap') => ({ time_ms, kind, text });
  it('are those of history and the live ones that it does not tell of yet, each swap once', () => {
    const past = [mark(10_000), mark(50_000, 'b@1', 'other')];
    expect(marksOf(past, [mark(12_000), mark(30_000)]).map((m) => m.time_ms)).toEqual([10_000, 30_000]);
  });

  it.each([
    ['motor-thermal@1.4.0 → motor-thermal@1.5.0', 'motor-thermal 1.4.0 → 1.5.0'], ['a@1 → b@2', 'a@1 → b@2'], ['a@1', 'a@1'],
    ['motor-thermal@0.1.0 ba7816bf8f01 → motor-thermal@0.1.0 80a3810e99ff', 'motor-thermal 0.1.0 ba7816bf8f01 → 0.1.0 80a3810e99ff'],
  ])('%s is labelled %s', (text, expected) => {
    expect(markLabel(text)).toBe(expected);
  });

  it('are bounded, the newest stay', () => {
    expect(marksOf([mark(0), mark(10_000), mark(20_000)], [], 2).map((m) => m.time_ms)).toEqual([10_000, 20_000]);
  });
});

describe('readings', () => {
  const point = (time: string | null, value: number): Point => ({
    name: 'p', unit: '1', value, quality: 'good', time, received: time, age_ms: 40, interval_ms: null, description: '', role: null, of: null, behavior: null,
  });
  const live = { twin: 't', state: 'live' as const, age_ms: 0, health: { index: null, verdict: 'unknown' as const } };

  it('keep a live value against a whole read that is older', () => {
    const first = readingsOf([point('1970-01-01T00:00:01Z', 1)], new Map(), 0);
    const second = withValues(first, { ...live, points: { p: [2_000, 2, 1], other: [2_000, 3, 0] } }, 10);
    expect(second.get('p')).toMatchObject({ value: 2, quality: 'uncertain', age_ms: 0, at: 10 });
    expect(second.has('other')).toBe(false);
    expect(readingsOf([point('1970-01-01T00:00:01Z', 1)], second, 20).get('p')?.value).toBe(2);
    expect(readingsOf([point('1970-01-01T00:00:02Z', 7)], second, 20).get('p')?.value).toBe(7);
  });

  it('never call an unknown quality good', () => {
    const first = readingsOf([point(null, 1)], new Map(), 0);
    expect(withValues(first, { ...live, points: { p: [1, 1, 9] } }, 0).get('p')?.quality).toBe('bad');
  });

  it('age on the clock of the page', () => {
    expect(ageNow(40, 100, 1_100)).toBe(1_040);
    expect(ageNow(40, 100, 50)).toBe(40);
    expect(ageNow(null, 100, 1_100)).toBeNull();
  });
});
