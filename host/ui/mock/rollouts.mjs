// The mock host's rollouts: one in shadow whose curves move, one that waits for a person in its canary, one rolled
// back with its evidence, one cancelled, one permanent. Orders are taken as a host takes them, and the phases go on
// by themselves in a few seconds, so that the page can be looked at in every one of them.
import { dice, MOTOR_ESTIMATES } from './plant.mjs';

const CURVE_POINTS = 240;
const VERSIONS = { '1.4.0': 'a1', '1.5.0': 'b2', '1.6.0': 'c3', '0.9.2': 'd4', '0.10.0-rc.1': 'e5' };
export const digestOf = (version) => { const roll = dice((VERSIONS[version] ?? version).split('').reduce((sum, c) => 31 * sum + c.charCodeAt(0), 7)); return `sha256:${Array.from({ length: 64 }, () => Math.floor(roll() * 16).toString(16)).join('')}`; };
const ref = (version) => ({ version, digest: digestOf(version) });
const iso = (ms) => new Date(ms).toISOString();
const ENDS = ['permanent', 'rolled-back', 'failed', 'cancelled'];
/** How long the mock stays in phases that are work, not waiting. */
const WORK_MS = 1_200;

export const STAGES = {
  shadow: { rows: 0, seconds: 0, seconds_max: 3_600 }, canary: { rows: 0, seconds: 0, seconds_max: 3_600 }, probation: { rows: 0, seconds: 60, seconds_max: 600 },
  warm_up_seconds_max: 3_600, verify_seconds_max: 30, compile_seconds_max: 120, raise_seconds_max: 300, promote: 'automatic', cold_start: false,
  bumpless: { step_share: 0.1, commands: 5 },
  acceptance: { difference: {}, exceed_share_max: 0, alert_rate_ratio_max: 2, alert_rate_extra_per_hour_max: 0.1, deadline_ms: 500, deadline_misses_share_max: 0.01, fuel_per_row_ratio_max: 4, nan_share_extra_max: 0.01, faults_max: 0, rows_min: 30 },
};
const stagesOf = (wish = {}) => ({ ...STAGES, ...wish, shadow: { ...STAGES.shadow, ...wish.shadow }, canary: { ...STAGES.canary, ...wish.canary }, probation: { ...STAGES.probation, ...wish.probation }, acceptance: { ...STAGES.acceptance, ...wish.acceptance } });
const LIMITS = { '*': { absolute: 0.5 }, winding_temperature: { absolute: 0.8, relative: 0.01 } };

const DIFF = [
  { what: 'output', severity: 'info', text: 'output bearing_temperature says more: “Drive-end bearing, hottest ring”' },
  { what: 'command', severity: 'widening', text: 'command fan_speed may go to 100 % (was 80 %)' },
  { what: 'state', severity: 'info', text: 'writes state schema 3 and reads 2 and 3; the incumbent writes 2' },
];

/** Both versions' answers, new one a little off; `fault` is how far in °C it has drifted away at time t. */
class Twins {
  constructor(seed, outputs, drift) {
    this.roll = dice(seed);
    this.drift = drift;
    this.curves = ['motor-7', 'pump-0003', 'pump-0012'].flatMap((twin, i) => outputs.map((output) => ({ twin, output: output.name.split('.')[1], unit: output.unit, phase: i, times_ms: [], old: [], new: [] })));
    this.sums = new Map(this.curves.map((curve) => [curve.output, { rows: 0, equal: 0, sum: 0, square: 0, bias: 0, max: 0, relative: 0, beyond: 0, nan: 0 }]));
    this.worst = new Map();
    this.rows = 0;
  }

  row(t, at) {
    this.rows += 81;
    for (const curve of this.curves) {
      const scale = curve.unit === 'Cel' ? 40 : 0.3;
      const base = curve.output.includes('deviation') ? 0.9 : curve.unit === 'Cel' ? 96 + 9 * Math.sin(t / 41 + curve.phase) + 0.35 * (this.roll() - 0.5) : 0.8 + 0.2 * Math.sin(t / 60 + curve.phase);
      const old = base;
      const apart = (scale / 40) * (0.16 * Math.sin(t / 13 + curve.phase) + 0.1 * (this.roll() - 0.5) + this.drift(t, curve));
      const now = curve.output.includes('deviation') ? old : old + apart;
      curve.times_ms.push(at);
      curve.old.push(old);
      curve.new.push(now);
      for (const column of [curve.times_ms, curve.old, curve.new]) if (column.length > CURVE_POINTS) column.shift();
      this.count(curve, at, old, now);
    }
  }

  count(curve, at, old, now) {
    const sum = this.sums.get(curve.output);
    const limit = limitOf(curve.output);
    const far = Math.max(limit.absolute ?? 0, (limit.relative ?? 0) * Math.abs(old));
    const apart = Math.abs(now - old);
    sum.rows += 27;
    sum.equal += apart === 0 ? 27 : 0;
    sum.sum += 27 * apart;
    sum.square += 27 * apart * apart;
    sum.bias += 27 * (now - old);
    sum.max = Math.max(sum.max, apart);
    sum.relative = Math.max(sum.relative, apart / Math.abs(old));
    if (apart > far) sum.beyond += 27;
    const key = curve.twin + curve.output;
    if (apart > 0 && apart / far > (this.worst.get(key)?.times_limit ?? 0)) this.worst.set(key, { twin: curve.twin, time_ms: at, output: curve.output, old, new: now, times_limit: apart / far });
  }

  evidence({ alerts = [2, 2], fuel = [11_840, 12_490], faults = [] } = {}) {
    const hours = Math.max(0.01, this.rows / 81 / 7_200 * 81);
    const outputs = [...this.sums].map(([output, sum]) => ({
      output, unit: this.curves.find((curve) => curve.output === output).unit, role: 'estimate', compared: true, rows: sum.rows, equal: sum.equal,
      difference_mean: sum.sum / sum.rows, difference_max: sum.max, difference_rms: Math.sqrt(sum.square / sum.rows), bias: sum.bias / sum.rows, relative_max: sum.relative,
      allowed: limitOf(output), beyond: sum.beyond, nan_old: 0, nan_new: 0, nan_extra: 0,
    }));
    const side = (spent, i) => ({ fuel_per_row: spent, step_us_per_row: [3.61, 3.94][i], call_ms_max: [0.71, 0.83][i], deadline_misses: 0 });
    return {
      rows: this.rows, rows_warming: 3_240, twins: 81, twin_hours: hours, outputs: [...outputs, { output: 'fan_torque', unit: 'N.m', role: 'diagnostic', compared: false, rows: this.rows, equal: 0, difference_mean: null, difference_max: null, difference_rms: null, bias: null, relative_max: null, allowed: null, beyond: 0, nan_old: 0, nan_new: 0, nan_extra: 0 }],
      innovations: [{ output: 'innovation', unit: 'Cel', old: { rows: this.rows, mean: 0.012, sigma: 0.36 }, new: { rows: this.rows, mean: 0.004, sigma: 0.34 } }],
      nis: [{ output: 'nis', confidence: 0.999, old: { rows: this.rows, degrees: this.rows, mean: 1.08, band_low: 0.94, band_high: 1.06 }, new: { rows: this.rows, degrees: this.rows, mean: 1.01, band_low: 0.94, band_high: 1.06 } }],
      alerts: { old: alerts[0], new: alerts[1], old_per_hour: alerts[0] / hours, new_per_hour: alerts[1] / hours },
      proposals: { rows: 41, differ: 0, old: 41, new: 41, old_refused: 3, new_refused: 3 },
      costs: { rows: this.rows, calls: Math.round(this.rows / 81), deadline_ms: 500, old: side(fuel[0], 0), new: side(fuel[1], 1) },
      faults_total: faults.length, faults, worst: [...this.worst.values()].sort((a, b) => b.times_limit - a.times_limit).slice(0, 10),
      curves: this.curves.map(({ twin, output, unit, times_ms, old, new: now }) => ({ twin, output, unit, times_ms, old, new: now })),
    };
  }
}

const limitOf = (output) => LIMITS[output] ?? LIMITS['*'];

function verdictOf(evidence) {
  const enough = evidence.rows >= 2_430;
  const state = (bad) => (bad ? 'fail' : enough ? 'pass' : 'open');
  const checks = evidence.outputs.filter((one) => one.compared).map((one) => ({
    name: `difference ${one.output}`, state: state(one.beyond > 0), limit: `${one.allowed.absolute} ${one.unit === 'Cel' ? '°C' : ''}`.trim(), value: one.difference_max,
    detail: one.beyond > 0 ? `${one.beyond} of ${one.rows} rows beyond, the largest ${one.difference_max.toFixed(3)}` : `at most ${one.difference_max.toFixed(3)} over ${one.rows} rows`,
  }));
  const ratio = evidence.costs.new.fuel_per_row / evidence.costs.old.fuel_per_row;
  checks.push(
    { name: 'alerts', state: state(evidence.alerts.new > 2 * evidence.alerts.old + 1), limit: 'at most 2 × and 0.1 per twin and hour more', value: evidence.alerts.new, detail: `${evidence.alerts.new} against ${evidence.alerts.old}` },
    { name: 'deadline misses', state: state(false), limit: 'at most 1 % of calls over 500 ms', value: 0, detail: `0 of ${evidence.costs.calls} calls` },
    { name: 'fuel per row', state: state(ratio > 4), limit: 'at most 4 ×', value: ratio, detail: `${Math.round(evidence.costs.new.fuel_per_row)} against ${Math.round(evidence.costs.old.fuel_per_row)}` },
    { name: 'faults', state: evidence.faults_total > 0 ? 'fail' : state(false), limit: 'at most 0', value: evidence.faults_total, detail: evidence.faults_total > 0 ? `${evidence.faults_total} rows made it trap` : 'none' },
  );
  const of = (wanted) => checks.some((check) => check.state === wanted);
  return { state: of('fail') ? 'fail' : of('open') ? 'open' : 'pass', checks };
}

const JUDGED = ['shadow', 'canary', 'promoting', 'probation'];

/** What a host keeps of a phase that is over: the same numbers, fewer curves, and of them fewer points. */
function sampleOf(evidence) {
  const thin = (curve) => { const keep = (_, i) => i % Math.ceil(curve.times_ms.length / 60) === 0; return { ...curve, times_ms: curve.times_ms.filter(keep), old: curve.old.filter(keep), new: curve.new.filter(keep) }; };
  return { ...evidence, worst: evidence.worst.slice(0, 10), curves: evidence.curves.slice(0, 4).map(thin) };
}

/** The same as long as all was well. */
const inside = (evidence) => ({ ...evidence, faults_total: 0, faults: [], alerts: { ...evidence.alerts, new: evidence.alerts.old }, worst: evidence.worst.filter((row) => row.times_limit < 1), outputs: evidence.outputs.map((one) => (one.beyond > 0 ? { ...one, beyond: 0, difference_max: 0.9 * one.allowed.absolute } : one)) });

const judged = (phase, since, until, verdict, evidence) => ({ phase, since, until, verdict, evidence: sampleOf(evidence) });

export class Rollouts {
  constructor(started, tell) {
    this.tell = tell;
    this.list = [];
    const outputs = MOTOR_ESTIMATES.slice(0, 6);
    const ago = (minutes) => started - 60_000 * minutes;
    const none = () => 0;
    const past = (twins, from, rows) => { for (let i = 0; i < rows; i += 1) twins.row((from + 500 * i) / 1000, from + 500 * i); return twins; };
    this.ended('permanent', 'thermal', 'motor-thermal', '1.3.2', '1.4.0', ago(3_000), past(new Twins(4, outputs, none), ago(3_000), 300), 'the old version is dropped', ['verifying', 'compiling', 'raising', 'shadow', 'canary', 'promoting', 'probation', 'settling']);
    this.ended('cancelled', 'thermal', 'motor-thermal', '1.4.0', '1.5.0', ago(1_500), null, 'cancelled by shift lead', ['verifying', 'compiling', 'raising', 'withdrawing']);
    this.ended('rolled-back', 'health', 'pump-health', '0.9.2', '0.10.0-rc.1', ago(190), past(new Twins(9, outputs.slice(0, 4), (t, c) => (c.output === 'winding_temperature' && c.twin === 'pump-0012' ? Math.max(0, (t - ago(190) / 1000 - 70) * 0.09) : 0)), ago(190), 240), '', ['verifying', 'compiling', 'raising', 'promoting', 'probation', 'withdrawing'],
      [{ twin: 'pump-0012', time_ms: ago(188), kind: 'trap', message: 'wasm trap: out of bounds memory access in step, row 3 of 81' }, { twin: 'pump-0012', time_ms: ago(187), kind: 'fuel', message: 'all fuel consumed: 1000000 a row' }]);
    this.ended('failed', 'health', 'pump-health', '0.9.2', '0.10.0-rc.1', ago(60), null, 'pump-health 0.10.0-rc.1 does not read state schema 2, which pump-health 0.9.2 writes: give cold_start or build it to read 2', ['verifying']);
    this.open('health', 'pump-health', '0.9.2', '0.10.0-rc.1', started - 95_000, stagesOf({ canary: { count: 3, rows: 50, seconds: 30, seconds_max: 900 }, promote: 'manual', acceptance: { difference: LIMITS } }), 'canary', past(new Twins(21, outputs.slice(0, 4), none), started - 60_000, 120), 'key engineer');
    this.open('thermal', 'motor-thermal', '1.4.0', '1.6.0', started - 40_000, stagesOf({ shadow: { rows: 600, seconds: 120, seconds_max: 1_800 }, canary: { share: 0.1, rows: 100 }, acceptance: { difference: LIMITS } }), 'shadow', past(new Twins(33, outputs, none), started - 20_000, 40), 'token');
  }

  ended(phase, binding, plugin, from, to, at, twins, reason, way, faults = []) {
    const evidence = twins?.evidence(faults.length > 0 ? { faults, alerts: [2, 9], fuel: [11_840, 51_300] } : {}) ?? null;
    const verdict = evidence && verdictOf(evidence);
    if (verdict?.state === 'fail') reason = verdict.checks.filter((check) => check.state === 'fail').map((check) => `${check.name}: ${check.detail}`).join('; ');
    const history = [...way, phase].map((step, i) => ({ time: iso(at + 9_000 * i), phase: step, reason: i === 0 ? 'started' : step === phase || step === 'withdrawing' ? reason : 'the package fits' }));
    const counts = phase === 'permanent' ? 81 : 0;
    // All but the last phase passed, else there would be no later one.
    const passed = verdict && { state: 'pass', checks: verdict.checks.map((check) => (check.state === 'fail' ? { ...check, state: 'pass', value: 0, detail: 'inside its limit' } : check)) };
    const over = verdict === null ? [] : history.flatMap((step, i) => (JUDGED.includes(step.phase) ? [judged(step.phase, step.time, history[i + 1].time, ...(history[i + 1].phase === 'withdrawing' ? [verdict, evidence] : [passed, inside(evidence)]))] : []));
    this.list.push({ id: this.list.length + 1, binding, plugin, from: ref(from), to: ref(to), automatic: phase === 'failed', by: phase === 'failed' ? 'folder' : 'token', phase, phase_since: history.at(-1).time, phase_deadline: null, started: iso(at), ended: history.at(-1).time, reason, twins: { all: 81, enrolled: counts, warm: counts, authoritative: counts, rows_min: twins === null ? 0 : twins.rows / 81 }, plan: { plugin, version: ref(to).digest, behavior: binding, stages: stagesOf() }, verdict, evidence, phases: over, history, diff: DIFF });
  }

  open(binding, plugin, from, to, at, stages, phase, pair, by) {
    const order = ['verifying', 'compiling', 'raising', 'shadow', 'canary', 'promoting', 'probation'];
    const skip = (step) => (step === 'shadow' && stages.shadow.rows + stages.shadow.seconds === 0) || (step === 'canary' && (stages.canary.twins ?? stages.canary.count ?? stages.canary.share) == null);
    const way = order.slice(0, order.indexOf(phase) + 1).filter((step) => !skip(step));
    const rollout = { id: this.list.length + 1, binding, plugin, from: ref(from), to: ref(to), automatic: false, by, phase, phase_since: iso(at), phase_deadline: null, started: iso(at), ended: null, reason: null, twins: { all: 81, enrolled: 0, warm: 0, authoritative: 0, rows_min: 0 }, plan: { plugin, version: ref(to).digest, behavior: binding, stages }, verdict: null, evidence: null, phases: [], history: way.map((step, i) => ({ time: iso(at + 1_000 * i), phase: step, reason: i === 0 ? 'started' : i === 1 ? 'the package fits' : 'compiled' })), diff: DIFF };
    Object.defineProperty(rollout, 'pair', { value: pair, enumerable: false });
    Object.defineProperty(rollout, 'skip', { value: skip, enumerable: false });
    rollout.phase_deadline = iso(Date.now() + 1_000 * (this.seconds(rollout) ?? 60));
    this.list.push(rollout);
    return rollout;
  }

  seconds({ phase, plan: { stages } }) {
    return { verifying: stages.verify_seconds_max, compiling: stages.compile_seconds_max, raising: stages.raise_seconds_max, shadow: stages.shadow.seconds_max, canary: stages.canary.seconds_max, promoting: stages.warm_up_seconds_max, probation: stages.probation.seconds_max, settling: 60, withdrawing: 60 }[phase];
  }

  enter(rollout, phase, reason) {
    const over = ENDS.includes(phase);
    if (JUDGED.includes(rollout.phase) && rollout.verdict !== null) rollout.phases = [...rollout.phases, judged(rollout.phase, rollout.phase_since, iso(Date.now()), rollout.verdict, rollout.evidence)];
    Object.assign(rollout, { phase, phase_since: iso(Date.now()), history: [...rollout.history, { time: iso(Date.now()), phase, reason }], ended: over ? iso(Date.now()) : null });
    if (over || phase === 'withdrawing') rollout.reason = reason;
    rollout.phase_deadline = over ? null : iso(Date.now() + 1_000 * this.seconds(rollout));
    this.say(rollout);
  }

  say(rollout) {
    const { id, binding, phase, twins, verdict } = rollout;
    this.tell({ id, binding, phase, twins, verdict: verdict?.state ?? null });
  }

  /** Goes on: rows are compared, work is done, and phases that end by themselves end. */
  step(now) {
    for (const rollout of this.list.filter((one) => !ENDS.includes(one.phase))) {
      const age = now - Date.parse(rollout.phase_since);
      if (['shadow', 'canary', 'promoting', 'probation'].includes(rollout.phase)) {
        rollout.pair.row(now / 1000, now);
        rollout.evidence = rollout.pair.evidence();
        rollout.verdict = verdictOf(rollout.evidence);
      }
      rollout.twins = this.twins(rollout, age);
      const next = { verifying: 'compiling', compiling: 'raising', raising: 'shadow', promoting: 'probation', settling: 'permanent' }[rollout.phase];
      if (rollout.phase === 'withdrawing' && age > WORK_MS) this.enter(rollout, rollout.ending, rollout.reason);
      else if (next !== undefined && age > WORK_MS) this.enter(rollout, this.after(rollout, next), next === 'permanent' ? 'the old version is dropped' : 'done');
    }
  }

  after(rollout, phase) {
    if (phase === 'shadow' && rollout.skip('shadow')) return this.after(rollout, 'canary');
    return phase === 'canary' && rollout.skip('canary') ? 'promoting' : phase;
  }

  twins(rollout, age) {
    const [all, rows_min] = [81, rollout.pair.rows / 81];
    if (['verifying', 'compiling'].includes(rollout.phase)) return { all, enrolled: 0, warm: 0, authoritative: 0, rows_min };
    if (rollout.phase === 'raising') return { all, enrolled: Math.min(all, Math.round(age / 15)), warm: 0, authoritative: 0, rows_min };
    if (rollout.phase === 'withdrawing') return { all, enrolled: all, warm: all, authoritative: 0, rows_min };
    const counts = { shadow: 0, canary: 3, promoting: Math.min(all, Math.round(age / 15)), probation: all, settling: all, permanent: all }[rollout.phase];
    return { all, enrolled: all, warm: 80, authoritative: counts, rows_min };
  }

  order(id, order, by) {
    const rollout = this.list.find((one) => one.id === id);
    if (rollout === undefined) return { status: 404, code: 'not-found', message: `there is no rollout ${id}` };
    if (ENDS.includes(rollout.phase)) return { status: 409, code: 'conflict', message: `it has ended: ${rollout.phase}` };
    if (rollout.phase === 'withdrawing') return { status: 409, code: 'conflict', message: 'it is already being withdrawn' };
    if (order === 'promote') {
      const next = { shadow: 'canary', canary: 'promoting', probation: 'settling' }[rollout.phase];
      if (next === undefined) return { status: 409, code: 'conflict', message: `there is nothing to promote while it is ${rollout.phase}` };
      this.enter(rollout, this.after(rollout, next), `promoted by ${by}`);
    } else {
      rollout.ending = order === 'rollback' || rollout.phase === 'probation' ? 'rolled-back' : 'cancelled';
      this.enter(rollout, 'withdrawing', `${order === 'rollback' ? 'rolled back' : 'cancelled'} by ${by}`);
    }
    return { status: 200, body: rollout };
  }

  preview(plan) {
    const stages = stagesOf(plan.stages);
    const binding = plan.behavior ?? (plan.plugin === 'motor-thermal' ? 'thermal' : 'health');
    const version = Object.keys(VERSIONS).find((one) => digestOf(one) === plan.version || one === plan.version) ?? null;
    const busy = this.list.find((one) => one.binding === binding && !ENDS.includes(one.phase));
    const from = plan.plugin === 'motor-thermal' ? '1.4.0' : '0.9.2';
    const count = stages.canary.count ?? (stages.canary.share ? Math.ceil(81 * stages.canary.share) : stages.canary.twins?.length ?? 0);
    const phases = [
      ['verifying', 'the package is checked and compared with the running version', 30], ['compiling', 'it is compiled, off the path', 120], ['raising', 'instances are made, state is tried on a copy, 81 twins are taken in', 300],
      ...(stages.shadow.rows + stages.shadow.seconds > 0 ? [['shadow', `same rows, until each twin has ${stages.shadow.rows} compared rows and ${stages.shadow.seconds} s are over`, stages.shadow.seconds_max]] : []),
      ...(count > 0 ? [['canary', `answers for ${count} twins`, stages.canary.seconds_max]] : []),
      ['promoting', 'takes over each twin as soon as it is warm', 3_600], ['probation', `both run for ${stages.probation.seconds} s; going back loses nothing`, stages.probation.seconds_max],
    ];
    return {
      binding, plugin: plan.plugin, from: ref(from), to: version && ref(version), twins: ['motor-7', 'pump-0003'], twins_total: 81, canary: Array.from({ length: count }, (_, i) => `pump-${String(3 * i + 1).padStart(4, '0')}`),
      plan: { ...plan, behavior: binding, stages }, diff: DIFF, phases: phases.map(([phase, text, seconds_max]) => ({ phase, text, seconds_max })),
      refusals: [...(busy ? [`rollout ${busy.id} of ${binding} is under way (${busy.phase}): end it first`] : []), ...(version === null ? [`no package of ${plan.plugin} has this digest`] : [])],
    };
  }

  start(plan, by) {
    const preview = this.preview(plan);
    if (preview.refusals.length > 0) return { status: 409, code: 'conflict', message: preview.refusals.join('; ') };
    const pair = new Twins(50 + this.list.length, MOTOR_ESTIMATES.slice(0, 6), () => 0);
    const rollout = this.open(preview.binding, plan.plugin, preview.from.version, preview.to.version, Date.now(), preview.plan.stages, 'verifying', pair, by);
    this.say(rollout);
    return { status: 201, body: rollout };
  }
}
