// Targets and authority on the page: who owns what, the orders that fit, what is bypassed, and what may be asked for.
import { describe, expect, it } from 'vitest';
import {
  authorityConsequence, authorityWord, authorityWords, byTwin, bypassed, bypassWords, holdingWords, needsReason, needsRole, ORDER_NAMES, orderConsequence, ordersOf, ownerWords, ruleWord,
  whyNotAuthority, wishOf, type TargetOrder,
} from './target';
import type { Authority, Holding, Level, Target, TwinAuthority } from './target-shapes';

const SINCE = '2026-03-01T12:00:00Z';
const holding = (level: Level, by = 'Bo', more: Partial<Holding> = {}): Holding => ({ level, by, reason: 'r', since: SINCE, until: null, ...more });

function target(more: Partial<Target> = {}): Target {
  return {
    twin: 'rig-1', name: 'load_limit', unit: '%', class: 'load', approvers: 1, commands: ['throttle.limit_load'], feedback: null, written: null, owner: 'behavior', holdings: [], open: [],
    latches: [], bypasses: [], tripped: false, rules: [], fail_action: 'holds the last value', heartbeat: null, egress: { source: 's', address: 'a', up: true }, ...more,
  };
}

describe('a target', () => {
  it.each<[Level, Holding[], string]>([
    ['behavior', [], 'behaviors'], ['operator', [holding('operator')], 'Bo'], ['local', [holding('local')], 'the panel of the machine (Bo)'],
    ['lockout', [holding('lockout', 'Cy'), holding('operator')], 'nobody: locked out (Cy)'],
  ])('is owned as %s', (owner, holdings, expected) => {
    expect(ownerWords(target({ owner, holdings }))).toBe(expected);
  });

  it.each<[Level, Holding[], string]>([
    ['behavior', [], 'propose hold local lockout'], ['operator', [holding('operator')], 'propose hold local lockout release'], ['local', [holding('local')], 'lockout release'],
    ['lockout', [holding('lockout')], 'release'],
  ])('owned as %s takes these orders', (owner, holdings, expected) => {
    expect(ordersOf(target({ owner, holdings })).join(' ')).toBe(expected);
  });

  it('says until when somebody holds it, and why', () => {
    expect(holdingWords(holding('operator'))).toMatch(/^operator by Bo since .*, until it is released: r$/);
    expect(holdingWords(holding('local', 'Bo', { until: '2026-03-01T13:00:00Z', reason: '' }))).toMatch(/until 2026-03-0\d \d\d:\d\d:00$/);
  });

  it('tells what each order does, and asks for a reason where the host wants one', () => {
    const orders = Object.keys(ORDER_NAMES) as TargetOrder[];
    expect(new Set(orders.map((order) => orderConsequence(order, target(), 'pump runs'))).size).toBe(8);
    expect(orders.filter(needsReason)).toEqual(['hold', 'local', 'lockout', 'bypass', 'end-bypass']);
    expect(orders.filter(needsRole)).toEqual(['reset', 'bypass', 'end-bypass']);
    expect(orderConsequence('propose', target({ approvers: 2 }), '')).toMatch(/two other people/);
  });
});

it.each([[true, null, 'refuses'], [false, null, 'passes'], [null, null, 'depends'], [false, 'Bo (r)', 'bypassed'], [true, 'Bo (r)', 'bypassed']] as const)('a rule with %s and %s %s', (refuses, bypassed_by, expected) => {
  expect(ruleWord({ kind: 'k', rule: 'r', allowed: '', reads: '', refuses, bypassed_by })).toBe(expected);
});

describe('the list', () => {
  const list = [
    target({ twin: 'rig-10' }), target({ twin: 'rig-9', name: 'a' }), target({ twin: 'rig-9', name: 'b', bypasses: [{ rule: 'r', by: 'Bo', reason: '', left_s: 5 }] }),
    target({ twin: 'rig-2', egress: { source: 's', address: 'a', up: false } }), target({ twin: 'rig-3', tripped: true }), target({ twin: 'rig-4', name: 'speed', commands: [] }),
  ];
  it('has the worst twin first', () => {
    expect(byTwin(list, [], '').map((group) => group.twin)).toEqual(['rig-3', 'rig-9', 'rig-2', 'rig-4', 'rig-10']);
  });

  it('is searched by words, and keeps the authority with its twin', () => {
    const standing: TwinAuthority = { twin: 'rig-4', configured: 'control', effective: 'advise', armed: null, reasons: [] };
    expect(byTwin(list, [standing], ' SPEED')).toEqual([{ twin: 'rig-4', authority: standing, targets: [list[5]] }]);
    expect(byTwin(list, [], 'throttle.limit')).toHaveLength(4);
  });
});

describe('what is bypassed', () => {
  const all = bypassed([target({ bypasses: [{ rule: 'a', by: 'Bo', reason: '', left_s: 5 }, { rule: 'b', by: 'Cy', reason: 'sensor', left_s: 90 }] }), target()], 1_000);
  it('is everything, what lasts longest first, with its end', () => {
    expect(all.map((one) => [one.rule, one.until])).toEqual([['b', 91_000], ['a', 6_000]]);
  });

  it('says which rule, of what, by whom, how long and why', () => {
    expect(all.map((one) => bypassWords(one, 1_000))).toEqual([
      '“b” of load_limit, rig-1, is bypassed by Cy for 1\u202fmin 30\u202fs more: sensor', '“a” of load_limit, rig-1, is bypassed by Bo for 5.0\u202fs more',
    ]);
  });
});

describe('authority', () => {
  const standing = (configured: Authority, effective: Authority, more: Partial<TwinAuthority> = {}): TwinAuthority => ({ twin: 'rig-1', configured, effective, armed: null, reasons: [], ...more });
  const armed = { by: 'Ann', at: SINCE };
  it.each<[TwinAuthority, string]>([
    [standing('control', 'advise'), 'observe control'], [standing('control', 'control', { armed }), 'observe advise'], [standing('advise', 'advise'), 'observe'], [standing('observe', 'observe'), ''],
    [standing('control', 'observe'), 'advise control'],
  ])('of %o may be set to %s', (one, expected) => {
    expect((['observe', 'advise', 'control'] as const).filter((level) => whyNotAuthority(one, level) === null).join(' ')).toBe(expected);
  });

  it('is typed to be raised, and lowered at once', () => {
    expect(authorityWord(standing('control', 'advise'), 'control')).toBe('control rig-1');
    expect(authorityWord(standing('control', 'observe'), 'advise')).toBe('advise rig-1');
    expect(authorityWord(standing('control', 'control', { armed }), 'observe')).toBeNull();
  });

  it('says what it has of what the site gives, and what each order means', () => {
    expect(authorityWords(standing('control', 'advise'))).toBe('It has advise; the site gives it control.');
    expect(authorityWords(standing('advise', 'advise'))).toMatch(/all that the site gives/);
    expect(new Set((['observe', 'advise', 'control'] as const).map((level) => authorityConsequence(standing('control', 'advise'), level))).size).toBe(3);
  });
});

it.each([['72.5', 72.5], [' -3 ', -3], ['\u22123', -3], ['1,5', 1.5], ['.5', 0.5], ['1e3', 1000], ['', null], ['many', null], ['1e999', null], ['0x10', null], ['1 2', null], ['Infinity', null]])('“%s” is the wish %s', (text, expected) => {
  expect(wishOf(text)).toBe(expected);
});
