// The rules of rollouts as the page tells them: steps, orders, time left, plans from forms, both versions' curves.
import { describe, expect, it } from 'vitest';
import { allowed, APART, columnsOf, OVER, panelsOf, UNDER } from './comparison.svelte';
import { bytes, decimalsOf, delta, tickText } from './format';
import { emptyForm, LIMITS, planOf, type Form } from './plan';
import { consequence, limitOf, nextText, ORDERS, phaseText, remaining, rowsWanted, span, standing, stepsOf, whyNot, worstFirst, type Order } from './rollout';
import planSchema from '../../../docs/generated/rollout-plan.schema.json?raw';
import type { EvidenceCurve, Phase, Rollout, VerdictState } from './rollout-shapes';

const STAGES = { verify_seconds_max: 30, compile_seconds_max: 120, raise_seconds_max: 300, warm_up_seconds_max: 3_600, shadow: { rows: 0, seconds: 0, seconds_max: 1 }, canary: { rows: 0, seconds: 0, seconds_max: 1 }, probation: { rows: 0, seconds: 60, seconds_max: 600 }, promote: 'automatic' as const, cold_start: false };

function rollout(phase: Phase, more: Partial<Rollout> = {}): Rollout {
  return {
    id: 7, binding: 'thermal', plugin: 'motor-thermal', from: { version: '1.4.0', digest: 'sha256:aa' }, to: { version: '1.5.0', digest: 'sha256:bb' },
    automatic: false, by: 'token', phase, phase_since: '2026-03-01T12:00:00Z', phase_deadline: null, started: '2026-03-01T12:00:00Z', ended: null, reason: null,
    twins: { all: 80, enrolled: 80, warm: 70, authoritative: 3, rows_min: 40 }, plan: { plugin: 'motor-thermal', version: '1.5.0', stages: STAGES }, verdict: null, evidence: null, phases: [], history: [], diff: [], ...more,
  };
}
const way = (...phases: Phase[]) => phases.map((phase) => ({ time: '2026-03-01T12:00:00Z', phase, reason: '' }));

describe('steps', () => {
  it.each<[Phase, Phase[], string]>([
    ['verifying', ['verifying'], 'here ahead ahead ahead ahead ahead ahead ahead'],
    ['shadow', ['verifying', 'compiling', 'raising', 'shadow'], 'done done done here ahead ahead ahead ahead'],
    ['probation', ['verifying', 'compiling', 'raising', 'promoting', 'probation'], 'done done done skipped skipped done here ahead'],
    ['settling', ['verifying', 'compiling', 'raising', 'promoting', 'probation', 'settling'], 'done done done skipped skipped done done here'],
    ['permanent', ['verifying', 'compiling', 'raising', 'promoting', 'probation', 'settling', 'permanent'], 'done done done skipped skipped done done done'],
    ['withdrawing', ['verifying', 'compiling', 'raising', 'canary', 'withdrawing'], 'done done done skipped stopped ahead ahead ahead'],
    ['rolled-back', ['verifying', 'compiling', 'raising', 'promoting', 'probation', 'withdrawing', 'rolled-back'], 'done done done skipped skipped done stopped ahead'],
    ['failed', ['verifying', 'failed'], 'stopped ahead ahead ahead ahead ahead ahead ahead'],
  ])('of %s', (phase, history, expected) => {
    expect(stepsOf({ phase, history: way(...history) }).map((step) => step.state).join(' ')).toBe(expected);
  });
});

describe('what comes next', () => {
  const begun = Date.parse('2026-03-01T12:00:00Z');
  const plain = (text: string | null) => text?.replaceAll('\u202f', ' ') ?? null;
  const at = (phase: Phase, more: Partial<Rollout> = {}, stages: Partial<typeof STAGES> & object = {}) =>
    plain(nextText(rollout(phase, { phase_deadline: '2026-03-01T12:30:00Z', history: way('verifying', 'compiling', 'raising', phase), plan: { plugin: 'motor-thermal', version: '1.5.0', stages: { ...STAGES, ...stages } }, ...more }), begun + 40_000));
  const shadow = { shadow: { rows: 600, seconds: 120, seconds_max: 1_800 } };
  const open: Rollout['verdict'] = { state: 'open', checks: [{ name: 'a', state: 'open', limit: '', value: null, detail: '' }, { name: 'b', state: 'pass', limit: '', value: 0, detail: '' }] };

  it('waits for checks, rows and time, each with how far it is, and says what becomes of it otherwise', () => {
    expect(at('shadow', { verdict: open }, shadow)).toBe('Next: promote, when every check passes (1 of 2 want more rows) and each twin has 600 compared rows (40 so far) and 2 min are over (40 s so far). If that does not come within 29 min 20 s, or a check fails, 1.5.0 is dropped and 1.4.0 goes on.');
    expect(at('shadow', {}, { ...shadow, canary: { ...STAGES.canary, count: 1 } as typeof STAGES.canary })).toContain('Next: canary, when');
  });

  it('waits for a person where the plan says so', () => {
    expect(at('shadow', {}, { ...shadow, promote: 'manual' as 'automatic' })).toMatch(/^Next: promote, when a person promotes it\. Until then: every check passes, each twin has 600/);
  });

  it('is as good as done in probation unless a check fails', () => {
    expect(at('probation')).toMatch(/^Next: version 1\.5\.0 for good, when every check passes and 1 min are over \(40 s so far\)\. In 29 min 20 s it comes to that anyway, unless a check fails or no row was compared in any phase: then 1\.5\.0 is dropped and 1\.4\.0 goes on\.$/);
  });

  it('counts twins while they change over', () => {
    expect(at('promoting')).toContain('Next: probation, as soon as 1.5.0 counts for all 80 twins (3 so far). If it takes longer than 29 min 20 s more, 1.5.0 is dropped and 1.4.0 goes on, unless those that are left send nothing.');
    expect(at('promoting', { twins: { all: 80, enrolled: 80, warm: 0, authoritative: 0, rows_min: 0 } })).toMatch(/1\.5\.0 is dropped and 1\.4\.0 goes on\.$/);
    expect(at('promoting', { from: null })).toContain('Next: version 1.5.0 for good');
  });

  it('is nothing where nothing is open', () => {
    for (const phase of ['settling', 'withdrawing', 'permanent', 'rolled-back', 'failed', 'cancelled'] as const) expect(at(phase)).toBeNull();
    expect(at('shadow', { verdict: { state: 'fail', checks: [] } }, shadow)).toBeNull();
    expect(at('shadow', { phase_deadline: '2026-03-01T12:00:10Z' }, shadow)).toBeNull();
  });

  it('knows what the plan leaves out and how long each phase may take', () => {
    const states = (more: Partial<Rollout>) => stepsOf(rollout('raising', { history: way('verifying', 'compiling', 'raising'), ...more })).map((step) => step.state).join(' ');
    expect(states({})).toBe('done done here skipped skipped ahead ahead ahead');
    expect(states({ from: null })).toBe('done done here skipped skipped ahead skipped ahead');
    const { plan } = rollout('shadow');
    expect(PHASES.map((phase) => limitOf(phase, plan))).toEqual([30, 120, 300, 1, 1, 3_600, 600, null, null, null, null, null, null]);
    expect([0, 45, 60, 90, 1_800, 3_600, 5_400, 172_800].map((seconds) => span(seconds).replaceAll('\u202f', ' '))).toEqual(['0 s', '45 s', '1 min', '1 min 30 s', '30 min', '1 h', '1 h 30 min', '2 d']);
    expect(rowsWanted(rollout('probation'))).toBeNull();
    expect(rowsWanted({ phase: 'canary', plan: { ...plan, stages: { ...plan.stages, canary: { ...plan.stages.canary, rows: 9 } } } })).toBe(9);
  });
});

const PHASES: Phase[] = ['verifying', 'compiling', 'raising', 'shadow', 'canary', 'promoting', 'probation', 'settling', 'withdrawing', 'permanent', 'rolled-back', 'failed', 'cancelled'];

describe('orders', () => {
  it.each<[Order, Phase[]]>([
    ['promote', ['shadow', 'canary', 'probation']],
    ['cancel', ['verifying', 'compiling', 'raising', 'shadow', 'canary', 'promoting', 'probation']],
    ['rollback', ['canary', 'promoting', 'probation']],
  ])('%s can be given in %s', (order, expected) => {
    expect(PHASES.filter((phase) => whyNot(order, rollout(phase)) === null)).toEqual(expected);
  });

  it('that cannot be given say why, in a sentence', () => {
    for (const phase of PHASES) for (const order of ORDERS) expect(whyNot(order, rollout(phase)) ?? 'Yes.').toMatch(/^[A-Z].*\.$/);
  });

  it('do not promote what fails', () => {
    const failing = rollout('shadow', { verdict: { state: 'fail', checks: [] } });
    expect(whyNot('promote', failing)).toBe('A check fails.');
    expect(whyNot('cancel', failing)).toBeNull();
  });

  it('tell what they do, with the numbers of twins', () => {
    expect(consequence('cancel', rollout('shadow'))).toContain('1.4.0 was never touched and goes on for all 80 twins');
    expect(consequence('rollback', rollout('canary'))).toContain('for the 3 twins where 1.5.0 counts now');
    expect(consequence('promote', rollout('probation'))).toContain('no way back');
    expect(consequence('rollback', rollout('canary', { from: null }))).toContain('what was there before');
  });
});

describe('where it stands', () => {
  it.each<[Partial<Rollout> & { phase: Phase }, string]>([
    [{ phase: 'rolled-back', reason: 'faults: 2 rows made it trap' }, 'Rolled back. Faults: 2 rows made it trap. As before, version 1.4.0 runs.'],
    [{ phase: 'failed', reason: 'it is too large.', from: null }, 'Failed. It is too large. As before, nothing runs.'],
    [{ phase: 'cancelled', reason: 'cancelled by shift lead' }, 'Cancelled by shift lead. As before, version 1.4.0 runs.'],
    [{ phase: 'permanent' }, 'Version 1.5.0 runs for all 80 twins; the old one was let go.'],
    [{ phase: 'shadow' }, 'The new version gets the same rows; its outcomes are compared and thrown away.'],
    [{ phase: 'withdrawing', reason: 'cancelled by a' }, 'Version 1.5.0 is being taken back; version 1.4.0 counts again. Cancelled by a.'],
  ])('%o', (more, expected) => {
    expect(standing(rollout(more.phase, more))).toBe(expected);
  });

  it('says when a person is waited for', () => {
    const manual = { plugin: 'p', version: '1', stages: { ...STAGES, promote: 'manual' as const } };
    const ripe = { state: 'pass' as const, checks: [] };
    expect(standing(rollout('canary', { plan: manual, verdict: ripe }))).toContain('wants a person');
    expect(standing(rollout('canary', { plan: manual, verdict: { state: 'open', checks: [] } }))).not.toContain('wants a person');
    expect(standing(rollout('probation', { plan: manual, verdict: ripe }))).not.toContain('wants a person');
  });

  it.each<[string | null, string | null]>([
    [null, null], ['2026-03-01T12:01:05Z', '1\u202fmin 05\u202fs'], ['2026-03-01T12:00:00Z', '0\u202fs'], ['2026-03-01T11:59:48Z', 'overdue by 12\u202fs'], ['never', null],
  ])('has until %s: %s', (deadline, expected) => {
    expect(remaining(deadline, Date.parse('2026-03-01T12:00:00Z'))).toBe(expected);
  });

  it('has a word for every phase', () => {
    expect(new Set(PHASES.map(phaseText)).size).toBe(PHASES.length);
  });

  it('puts what fails first and keeps the order of the rest', () => {
    const check = (name: string, state: VerdictState) => ({ name, state, limit: '', value: null, detail: '' });
    expect(worstFirst([check('a', 'pass'), check('b', 'open'), check('c', 'fail'), check('d', 'pass')]).map((c) => c.name).join('')).toBe('cbad');
  });
});

describe('a plan', () => {
  const form = (more: Partial<Form>): Form => ({ ...emptyForm({ outputs: [{ name: 'winding', unit: 'Cel' }] }), ...more });
  const bare = { shadow: { rows: '', seconds: '', longest: '' } };

  it('of an empty form asks for nothing but the version', () => {
    expect(planOf(form(bare), 'p', 'sha256:aa')).toEqual({ plan: { plugin: 'p', version: 'sha256:aa' }, problems: [] });
  });

  it('has what was typed and leaves the rest to the host', () => {
    const typed = form({
      behavior: ' thermal ', twins: 'pump-*', canary: { kind: 'share', whom: '0.1', rows: '50', seconds: '', longest: '' }, manual: true, cold: true,
      difference: { '*': { absolute: '', relative: '' }, winding: { absolute: '0.5', relative: '' } }, limits: { faults_max: '0', nis_confidence: '' },
    });
    expect(planOf(typed, 'p', 'd')).toEqual({ problems: [], plan: {
      plugin: 'p', version: 'd', behavior: 'thermal', twins: 'pump-*',
      stages: { shadow: { rows: 100 }, canary: { share: 0.1, rows: 50 }, promote: 'manual', cold_start: true, acceptance: { difference: { winding: { absolute: 0.5 } }, faults_max: 0 } },
    } });
  });

  it('gives a phase that shall take longer than the host’s default more time, as the command line does', () => {
    const spell = (seconds: string, longest = '') => ({ rows: '', seconds, longest });
    const stages = (shadow: string, canary: string, probation: string) =>
      planOf(form({ shadow: spell(shadow), canary: { kind: 'count', whom: '1', ...spell(canary) }, probation: spell(probation) }), 'p', 'd').plan['stages'];
    expect(stages('3600', '3600', '600')).toEqual({ shadow: { seconds: 3600 }, canary: { count: 1, seconds: 3600 }, probation: { seconds: 600 } });
    expect(stages('3601', '5000', '601')).toEqual({
      shadow: { seconds: 3601, seconds_max: 7202 }, canary: { count: 1, seconds: 5000, seconds_max: 10_000 }, probation: { seconds: 601, seconds_max: 1202 },
    });
    const own = planOf(form({ shadow: spell('7200', '8000') }), 'p', 'd');
    expect(own).toEqual({ problems: [], plan: { plugin: 'p', version: 'd', stages: { shadow: { seconds: 7200, seconds_max: 8000 } } } });
  });

  it('can say every limit that the host has', () => {
    const stages = JSON.parse(planSchema).properties.stages.properties;
    const limits = Object.keys(stages.acceptance.properties).filter((key) => key !== 'difference' && key !== 'innovation_no_worse');
    expect(LIMITS.map((limit) => limit.key).sort()).toEqual(limits.sort());
    const typed = form({ ...bare, noWorse: true, bumpless: { step: '0.2', commands: '3' }, limits: { deadline_ms: '40', nis_degrees: '2' } });
    expect(planOf(typed, 'p', 'd').plan['stages']).toEqual({
      bumpless: { step_share: 0.2, commands: 3 }, acceptance: { deadline_ms: 40, nis_degrees: 2, innovation_no_worse: true },
    });
    expect(Object.keys(stages.bumpless.properties).sort()).toEqual(['commands', 'step_share']);
  });

  it('names canary twins however they are separated', () => {
    const { plan } = planOf(form({ ...bare, canary: { kind: 'twins', whom: 'a, b\nc', rows: '1', seconds: '', longest: '' } }), 'p', 'd');
    expect(plan['stages']).toEqual({ canary: { twins: ['a', 'b', 'c'], rows: 1 } });
  });

  it.each<[string, Partial<Form>, RegExp]>([
    ['letters', { shadow: { rows: 'many', seconds: '', longest: '' } }, /Shadow, rows: “many”/],
    ['a negative number', { probation: { rows: '', seconds: '-1', longest: '' } }, /Probation, seconds/],
    ['a canary of nobody', { canary: { kind: 'count', whom: ' ', rows: '1', seconds: '', longest: '' } }, /say how many/],
    ['half a twin', { canary: { kind: 'count', whom: '1.5', rows: '1', seconds: '', longest: '' } }, /whole number/],
    ['more than all', { canary: { kind: 'share', whom: '1.2', rows: '1', seconds: '', longest: '' } }, /at most 1/],
    ['more at least than at most', { probation: { rows: '', seconds: '90', longest: '60' } }, /Probation: 90 seconds at least are more than 60/],
    ['waiting nowhere', { ...bare, manual: true }, /wait in/],
  ])('with %s is not sent', (_, more, expected) => {
    expect(planOf(form(more), 'p', 'd').problems.join()).toMatch(expected);
  });
});

describe('a comparison', () => {
  const curve: EvidenceCurve = { twin: 't', output: 'winding', unit: 'Cel', times_ms: [1, 2, 3], old: [100, null, 200], new: [101, 5, null] };
  const names = { old: 'old 1', new: 'new 2' };

  it('has the difference only where both have a value', () => {
    expect(columnsOf(curve, null, names)).toEqual({ 'old 1': curve.old, 'new 2': curve.new, [APART]: [1, null, null], [OVER]: [null, null, null], [UNDER]: [null, null, null] });
  });

  it('holds it to the wider of the limits', () => {
    expect(columnsOf(curve, { absolute: 1.5, relative: 0.01 }, names)).toMatchObject({ [OVER]: [1.5, null, 2], [UNDER]: [-1.5, null, -2] });
    expect(allowed({ relative: 0.1 }, -50)).toBe(5);
    expect(allowed(null, 1)).toBeNull();
  });

  it('is drawn as two panels, with limits only where there are some', () => {
    expect(panelsOf(curve, null, names).map((panel) => panel.lines.map((line) => line.point))).toEqual([['old 1', 'new 2'], [APART]]);
    expect(panelsOf(curve, { absolute: 1 }, names)[1].lines.map((line) => line.point)).toEqual([APART, OVER, UNDER]);
  });
});

describe('figures', () => {
  it.each<[number | null, string, string]>([[0.00123, 'Cel', '0.00123\u202f°C'], [0, 'Cel', '0\u202f°C'], [-4.5678, '1', '−4.57'], [1234.5, '1', '1235'], [2.5e6, '1', '2.50e+6'], [null, 'Cel', '–']])('difference %s %s is %s', (value, unit, expected) => {
    expect(delta(value, unit)).toBe(expected);
  });
  it.each<[number | null, string]>([[512, '512\u202fB'], [30_000, '29\u202fKiB'], [1_310_720, '1.3\u202fMiB'], [null, '–']])('%s bytes are %s', (n, expected) => {
    expect(bytes(n)).toBe(expected);
  });
  it.each([[-0.5, 0.25, '\u22120.50'], [2e7, 1e7, '2.000e+7'], [0, 2e-12, '0'], [-4e-12, 2e-12, '\u22124.0e\u221212'], [3e-8, 1e-8, '0.00000003']])('tick %s of step %s is %s', (value, step, expected) => {
    expect(tickText(value, step, '1')).toBe(expected);
  });
  it.each([[2.5, 1], [0.25, 2], [1, 0], [50, 0], [0.001, 3], [1e-12, 8]])('ticks of step %s have %s decimals', (step, expected) => {
    expect(decimalsOf(step)).toBe(expected);
  });
});
