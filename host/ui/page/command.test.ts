// Commands on the page: the orders that fit, whether what was shown still stands, who may not approve, and the words.
import { describe, expect, it } from 'vitest';
import {
  causeWords, interlockWords, isInDoubt, leftWords, mergedCommands, ordersFor, outcomeWords, proposerWords, samePerson, sinceShown, STATES, stateWords, whyNotBy, wishWords,
} from './command';
import type { Command, CommandState, Interlocks, Transition } from './command-shapes';
import { byUrgency } from './queue';
import { uuid7 } from './uuid';

const NOON = Date.parse('2026-03-01T12:00:00Z');
const at = (seconds: number): string => new Date(NOON + 1_000 * seconds).toISOString();

function command(more: Partial<Command> = {}): Command {
  return {
    id: 'a', number: 1, twin: 'rig-1', target: 'load_limit', value: 72.5, unit: '%', digest: 'sha256:aa', class: 'load', proposer: { kind: 'operator', name: 'Ann', version: null, digest: null },
    reason: 'warm', evidence: [], proposed: at(0), not_after: at(600), state: 'held', since: at(0), detail: '', rule: null, until: at(300), approvers: 2, missing_approvals: 2, approvals: [],
    sent: null, receipt: null, read_back: null, resolved: null, ...more,
  };
}

describe('orders', () => {
  it.each<[CommandState, Partial<Command>, string]>([
    ['held', {}, 'approve refuse withdraw'], ['held', { missing_approvals: 0 }, 'refuse withdraw'], ['proposed', {}, 'withdraw'], ['checked', {}, 'withdraw'], ['armed', {}, 'withdraw'],
    ['sent', {}, ''], ['transport-acked', {}, ''], ['verified', {}, ''], ['refused', {}, ''], ['expired', {}, ''], ['superseded', {}, ''], ['failed', {}, ''],
    ['indeterminate', {}, 'resolve'], ['indeterminate', { resolved: { by: 'Bo', note: 'n', at: at(9) } }, ''],
  ])('that fit %s', (state, more, expected) => {
    const one = command({ state, ...more });
    expect(ordersFor(one).join(' ')).toBe(expected);
    expect(isInDoubt(one)).toBe(expected === 'resolve');
  });
});

describe('what was shown', () => {
  it.each<[string, Partial<Command>, number, RegExp | null]>([
    ['stands', {}, 10, null], ['is another command', { digest: 'sha256:bb' }, 10, /another command/], ['was superseded', { state: 'superseded', detail: 'command b took its place' }, 10, /superseded: command b took its place/],
    ['has expired', { state: 'expired' }, 10, /is expired\./], ['is past the time for approval', {}, 300, /time for approval is over/], ['is past its deadline', { until: at(900) }, 600, /deadline is over/],
    ['is approved by others', { missing_approvals: 0 }, 10, /all approvals/], ['has one approval more', { missing_approvals: 1 }, 10, null],
  ])('%s', (_, more, seconds, expected) => {
    const said = sinceShown(command(), command(more), NOON + 1_000 * seconds);
    if (expected === null) expect(said).toBeNull();
    else expect(said).toMatch(expected);
  });
});

describe('who approves', () => {
  const given = { by: 'Bo', at: at(1), holds: true };
  it.each<[string, Partial<Command>, string, boolean]>([
    ['nobody yet', {}, ' ', true], ['another person', {}, 'Bo', true], ['its proposer', {}, ' aNN ', false], ['who approved it', { approvals: [given] }, 'bo', false],
    ['whose approval is over', { approvals: [{ ...given, holds: false }] }, 'Bo', true], ['a namesake of a behavior', { proposer: { kind: 'behavior', name: 'Ann', version: '1', digest: 'd' } }, 'Ann', true],
  ])('%s', (_, more, by, may) => {
    expect(whyNotBy(command(more), by) === null).toBe(may);
  });

  it('is told apart as the host does', () => {
    expect([samePerson('Ann ', 'aNN'), samePerson('Ann', 'Anna'), samePerson('oidc:ann', 'Ann'), samePerson('oidc:ann', 'anna')]).toEqual([true, false, true, false]);
  });
});

describe('words', () => {
  it('differ for every state', () => {
    expect(new Set(STATES.map(stateWords)).size).toBe(12);
  });

  it('say what is wished and by whom', () => {
    expect(wishWords(command())).toBe('load_limit = 72.5\u202f%');
    expect(proposerWords(command().proposer)).toBe('Ann');
    expect(proposerWords({ kind: 'behavior', name: 'throttle', version: '0.3.1', digest: 'd' })).toBe('behavior throttle 0.3.1');
    expect(proposerWords({ kind: 'program', name: 'token', version: null, digest: null })).toBe('program token');
  });

  it('say what the interlocks say', () => {
    const say = (interlocks: Interlocks | null) => interlockWords({ command: command(), transitions: [], interlocks });
    expect(say(null)).toMatch(/not asked/);
    expect(say({ permits: true, refusal: null, rules: [] })).toBe('They would let it through now.');
    expect(say({ permits: false, refusal: { rule: 'range', seen: '120', allowed: '0 … 100' }, rules: [] })).toBe('“range” would refuse it now: 120; allowed is 0 … 100.');
    expect(say({ permits: false, refusal: { rule: 'lockout', seen: 'Bo works on it', allowed: '' }, rules: [] })).toBe('“lockout” would refuse it now: Bo works on it.');
  });

  it('say how long it stands so', () => {
    expect(leftWords(command(), NOON)).toBe('expires in 5\u202fmin 00\u202fs');
    expect(leftWords(command({ until: at(900) }), NOON)).toBe('expires in 10\u202fmin 00\u202fs');
    expect(leftWords(command(), NOON + 400_000)).toBe('its time is over');
    expect(leftWords(command({ state: 'verified', until: null }), NOON)).toBeNull();
    expect(leftWords(command({ state: 'indeterminate', until: at(5) }), NOON)).toMatch(/settle it for 5.0/);
  });

  it.each<[Partial<Transition>, string]>([
    [{ event: 'approve', cause: { by: 'Bo', digest: 'sha256:aa' } }, 'approved by Bo'], [{ event: 'refuse', cause: { rule: 'step', reason: 'too far' } }, 'not let through by “step”: too far'],
    [{ event: 'reject', cause: { by: 'Bo', reason: 'no' } }, 'not approved by Bo: no'], [{ event: 'acknowledge', cause: { receipt: 'got it' } }, 'the transport has it: got it'],
    [{ event: 'read-back', cause: { value: 72.4 } }, 'shown by the feedback point: 72.4\u202f%'], [{ event: 'resolve', cause: { by: 'Bo', note: 'it runs' } }, 'a person has looked by Bo: it runs'],
    [{ event: 'supersede', cause: { by: 'b' } }, 'a newer command took its place, b'],
    [{ event: 'overtake', cause: { by: 'b' } }, 'a newer command that is read back at the same point was sent, b'], [{ event: 'of a later version', cause: null }, 'of a later version'],
  ])('say what caused a change: %o', (more, expected) => {
    expect(causeWords({ step: 1, state: 'held', time: at(0), event: '', cause: null, ...more }, '%')).toBe(expected);
  });

  it('say what is known of an end', () => {
    expect(outcomeWords(command({ state: 'refused', rule: 'step', detail: 'too far' }))).toBe('“step”: too far');
    expect(outcomeWords(command({ state: 'indeterminate', detail: 'lost', resolved: { by: 'Bo', note: 'it runs', at: at(1) } }))).toBe('Bo has looked: it runs');
    expect(outcomeWords(command({ state: 'verified', read_back: { value: 72.4, time: at(1), received: at(1) } }))).toMatch(/^read back 72\.4\u202f% at /);
    expect(outcomeWords(command({ receipt: { text: 'got it', at: at(1) } }))).toBe('got it');
  });
});

describe('lists', () => {
  it('have each command once, as it was read last, newest first, and are bounded', () => {
    const list = mergedCommands([command({ id: 'a', number: 1 }), command({ id: 'b', number: 2 })], [command({ id: 'b', number: 2, state: 'verified' }), command({ id: 'c', number: 3 })], 2);
    expect(list.map((one) => `${one.id} ${one.state}`)).toEqual(['c held', 'b verified']);
  });

  it('of what waits begin with what expires first', () => {
    const waiting = [command({ id: 'late', until: at(900) }), command({ id: 'soon', until: at(9) }), command({ id: 'endless', until: null, not_after: at(60) })];
    expect(byUrgency(waiting).map((one) => one.id)).toEqual(['soon', 'endless', 'late']);
  });
});

describe('an id', () => {
  it('is a UUID of version 7 with its time, and another one each time', () => {
    const id = uuid7(0x0190_0000_0000, Uint8Array.from({ length: 10 }, () => 0xff));
    expect(id).toBe('01900000-0000-7fff-bfff-ffffffffffff');
    const ids = Array.from({ length: 50 }, () => uuid7(NOON));
    expect(new Set(ids).size).toBe(50);
    for (const one of ids) expect(one).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  });
});
