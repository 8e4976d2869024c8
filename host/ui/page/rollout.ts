// The rules of what a page shows of a rollout: its steps and ways out, what a person may order in which phase and
// why not, how long a phase may still take. All of it pure; the host decides, this only says it beforehand.
import { age, count } from './format';
import type { Check, Phase, Plan, Rollout, VerdictState } from './rollout-shapes';

export type Order = 'promote' | 'cancel' | 'rollback';
export const ORDERS: readonly Order[] = ['promote', 'cancel', 'rollback'];

/** The way of a rollout that goes well, in order. */
export const WAY: readonly { phase: Phase; text: string; does: string }[] = [
  { phase: 'verifying', text: 'Verify', does: 'The package is read and compared with the version that runs.' },
  { phase: 'compiling', text: 'Compile', does: 'The component is compiled beside the running plant.' },
  { phase: 'raising', text: 'Raise', does: 'Instances of the new version are raised and take copies of the twins’ state.' },
  { phase: 'shadow', text: 'Shadow', does: 'The new version gets the same rows; its outcomes are compared and thrown away.' },
  { phase: 'canary', text: 'Canary', does: 'The new version counts for some twins; the old one still runs beside it.' },
  { phase: 'promoting', text: 'Promote', does: 'Twin by twin, as each is warm, the new version begins to count.' },
  { phase: 'probation', text: 'Probation', does: 'The new version counts for all; the old one is kept warm and fed, ready to take over again.' },
  { phase: 'permanent', text: 'Permanent', does: 'The old version is let go.' },
];

const ENDS: Partial<Record<Phase, string>> = {
  permanent: 'permanent', 'rolled-back': 'rolled back', failed: 'failed', cancelled: 'cancelled',
};

export const isOver = (phase: Phase): boolean => ENDS[phase] !== undefined;
export const endedWell = (phase: Phase): boolean => phase === 'permanent';

/** A phase in the words of the step bar: `Shadow`, `withdrawing`, `rolled back`. */
export function phaseText(phase: Phase): string {
  return WAY.find((step) => step.phase === phase)?.text.toLowerCase() ?? ENDS[phase] ?? phase;
}

export type StepState = 'done' | 'here' | 'stopped' | 'skipped' | 'ahead';
export interface Step { phase: Phase; text: string; does: string; state: StepState }

/** Each step of the way and how it stands. A step that was not entered although a later one was, or that the plan does not
 * have, is skipped. */
export function stepsOf(rollout: Pick<Rollout, 'phase' | 'history'> & Partial<Pick<Rollout, 'plan' | 'from'>>): Step[] {
  const places = [...rollout.history.map((step) => step.phase), rollout.phase].map(placeOf);
  const furthest = Math.max(...places);
  const onWay = placeOf(rollout.phase) >= 0;
  return WAY.map((step, i) => ({ ...step, state: stateOf(i) }));

  function stateOf(i: number): StepState {
    if (i > furthest) return has(WAY[i]?.phase ?? 'permanent', rollout) ? 'ahead' : 'skipped';
    if (!places.includes(i)) return 'skipped';
    if (i < furthest || endedWell(rollout.phase)) return 'done';
    return onWay ? 'here' : 'stopped';
  }
}

/** The step that a phase belongs to; −1 when it has left the way. The old version is let go on the last step. */
function placeOf(phase: Phase): number {
  return WAY.findIndex((step) => step.phase === (phase === 'settling' ? 'permanent' : phase));
}

/** Whether a phase belongs to the plan: without a version to compare with there is nothing to try beside it. */
function has(phase: Phase, { plan, from }: Partial<Pick<Rollout, 'plan' | 'from'>>): boolean {
  if (plan === undefined || !(phase === 'shadow' || phase === 'canary' || phase === 'probation')) return true;
  if (from === null) return false;
  const { shadow, canary } = plan.stages;
  if (phase === 'shadow') return shadow.rows > 0 || shadow.seconds > 0;
  return phase === 'probation' || (canary.twins?.length ?? canary.count ?? canary.share ?? 0) > 0;
}

/** Seconds after which a phase is given up, or, in probation, over; null for those that are no matter of the plan. */
export function limitOf(phase: Phase, { stages }: Plan): number | null {
  const limits: Partial<Record<Phase, number>> = {
    verifying: stages.verify_seconds_max, compiling: stages.compile_seconds_max, raising: stages.raise_seconds_max, shadow: stages.shadow.seconds_max,
    canary: stages.canary.seconds_max, promoting: stages.warm_up_seconds_max, probation: stages.probation.seconds_max,
  };
  return limits[phase] ?? null;
}

/** Compared rows of each twin that the phase wants at least; null when it wants none. */
export function rowsWanted({ phase, plan }: Pick<Rollout, 'phase' | 'plan'>): number | null {
  const rows = waits(phase) ? plan.stages[phase].rows : 0;
  return rows > 0 ? rows : null;
}

/** A span as a plan has it: `2 h`, `30 min`, `1 min 30 s`. */
export function span(seconds: number): string {
  return seconds < 60 ? `${seconds}\u202fs` : age(1000 * seconds).replace(/\u202f?\s?00\u202f(s|min)$/, '').replace(/\s0\u202fh$/, '');
}

/** What comes next, what it still waits for, and what becomes of it otherwise; null when nothing is open. `now` is the
 * host's clock. */
export function nextText(rollout: Pick<Rollout, 'phase' | 'phase_since' | 'phase_deadline' | 'history' | 'plan' | 'from' | 'to' | 'twins' | 'verdict'>, now: number): string | null {
  const { phase, plan, twins, to } = rollout;
  if (isOver(phase) || placeOf(phase) < 0 || phase === 'settling' || rollout.verdict?.state === 'fail') return null;
  const left = remaining(rollout.phase_deadline, now);
  const next = stepsOf(rollout).find((step, i) => i > placeOf(phase) && step.state === 'ahead');
  if (next === undefined || left === null || left.startsWith('overdue')) return null;
  const into = next.phase === 'permanent' ? `version ${to.version} for good` : next.text.toLowerCase();
  const back = rollout.from === null ? `${to.version} is dropped` : `${to.version} is dropped and ${rollout.from.version} goes on`;
  if (!waits(phase)) {
    const until = phase === 'promoting' ? `as soon as ${to.version} counts for all ${count(twins.all)} twins (${count(twins.authoritative)} so far)` : 'as soon as that is done';
    // A promotion does not wait for ever for twins that send nothing, as long as others have followed.
    const silent = phase === 'promoting' && twins.authoritative > 0 ? ', unless those that are left send nothing' : '';
    return `Next: ${into}, ${until}. If it takes longer than ${left} more, ${back}${silent}.`;
  }
  const wants = conditions(rollout, now);
  const person = phase !== 'probation' && plan.stages.promote === 'manual';
  const otherwise = phase === 'probation' ? `In ${left} it comes to that anyway, unless a check fails or no row was compared in any phase: then ${back}.` : `If that does not come within ${left}, or a check fails, ${back}.`;
  return `Next: ${into}, ${person ? 'when a person promotes it' : `when ${wants.join(' and ')}`}. ${person && wants.length > 1 ? `Until then: ${wants.join(', ')}. ` : ''}${otherwise}`;
}

/** What the gate of a phase asks for, each with how far it is. */
function conditions({ phase, phase_since, plan, twins, verdict }: Pick<Rollout, 'phase' | 'phase_since' | 'plan' | 'twins' | 'verdict'>, now: number): string[] {
  if (!waits(phase)) return [];
  const { rows, seconds } = plan.stages[phase];
  const open = (verdict?.checks ?? []).filter((check) => check.state === 'open').length;
  const wants = [open > 0 ? `every check passes (${open} of ${verdict?.checks.length} want more rows)` : 'every check passes'];
  if (rows > 0) wants.push(`each twin has ${count(rows)} compared rows (${count(twins.rows_min)} so far)`);
  const gone = Math.max(0, Math.floor((now - Date.parse(phase_since)) / 1000));
  if (seconds > gone) wants.push(`${span(seconds)} are over (${span(gone)} so far)`);
  return wants;
}

/** Why an order cannot be given now; null when it can. The host has the last word. */
export function whyNot(order: Order, rollout: Pick<Rollout, 'phase' | 'verdict'>): string | null {
  const { phase } = rollout;
  if (isOver(phase)) return `The rollout has ended: ${phaseText(phase)}.`;
  if (phase === 'withdrawing') return 'The new version is being taken back already.';
  if (phase === 'settling') return 'The old version is being let go already; begin a rollout of it to go back.';
  if (order === 'cancel') return null;
  if (order === 'rollback') return counts(phase) ? null : 'The new version counts for no twin yet: cancel instead.';
  if (!waits(phase)) return `There is nothing to promote in ${phaseText(phase)}.`;
  return rollout.verdict?.state === 'fail' ? 'A check fails.' : null;
}

const waits = (phase: Phase): phase is 'shadow' | 'canary' | 'probation' => phase === 'shadow' || phase === 'canary' || phase === 'probation';
const counts = (phase: Phase): boolean => phase === 'canary' || phase === 'promoting' || phase === 'probation';

const PROMOTES: Partial<Record<Phase, string>> = {
  shadow: 'goes on to the next phase of the plan without waiting for the rest of its shadow.',
  canary: 'begins to count for all twins, each at a row boundary as soon as it is warm there.',
  probation: 'stays for good, and the version before it is let go: there is no way back by this rollout any more.',
};

/** What an order will do, before it is given. */
export function consequence(order: Order, rollout: Pick<Rollout, 'phase' | 'from' | 'to' | 'twins'>): string {
  const [old, now] = [rollout.from === null ? 'what was there before' : rollout.from.version, rollout.to.version];
  if (order === 'promote') return `${now} ${PROMOTES[rollout.phase] ?? 'goes on to the next phase.'}`;
  if (!counts(rollout.phase)) return `${now} is dropped. ${old} was never touched and goes on for all ${count(rollout.twins.all)} twins.`;
  return `${old} counts again from the next row on for the ${count(rollout.twins.authoritative)} twins where ${now} counts now, as if nothing had been; ${now} is dropped.`;
}

/** What is left of the phase, or how long it is overdue. `now` is the host's clock. */
export function remaining(deadline: string | null, now: number): string | null {
  if (deadline === null) return null;
  const left = Date.parse(deadline) - now;
  if (!Number.isFinite(left)) return null;
  const seconds = Math.round(Math.abs(left) / 1000);
  const text = seconds < 10 ? `${seconds}\u202fs` : age(1000 * seconds);
  return left >= 0 ? text : `overdue by ${text}`;
}

export function verdictText(state: VerdictState | null): string {
  return state ?? 'not judged';
}

/** `motor-thermal 1.4.0 → 1.5.0`. */
export function versionsText(rollout: Pick<Rollout, 'plugin' | 'from' | 'to'>): string {
  return `${rollout.plugin} ${rollout.from?.version ?? 'none'} → ${rollout.to.version}`;
}

/** Where a rollout stands, in a sentence or two: what runs, and what is waited for or went wrong. */
export function standing(rollout: Pick<Rollout, 'phase' | 'plan' | 'from' | 'to' | 'reason' | 'twins' | 'verdict'>): string {
  const { phase, twins } = rollout;
  const old = rollout.from === null ? 'nothing' : `version ${rollout.from.version}`;
  const why = rollout.reason === null ? '' : ` ${sentence(rollout.reason)}`;
  if (phase === 'permanent') return `Version ${rollout.to.version} runs for all ${count(twins.all)} twins; the old one was let go.${why}`;
  if (isOver(phase)) {
    const ended = rollout.reason?.startsWith(phaseText(phase)) ? '' : sentence(phaseText(phase));
    return `${ended}${why} As before, ${old} runs.`.trimStart();
  }
  if (phase === 'settling') return `Version ${rollout.to.version} stays; the old one is being let go.${why}`;
  if (phase === 'withdrawing') return `Version ${rollout.to.version} is being taken back; ${old} counts again.${why}`;
  const does = WAY.find((step) => step.phase === phase)?.does ?? '';
  return waitsForPerson(rollout) ? `Every check passes; the plan wants a person to promote or cancel it before the time is up. ${does}` : `${does}${why}`;
}

function waitsForPerson(rollout: Pick<Rollout, 'phase' | 'plan' | 'verdict'>): boolean {
  return (rollout.phase === 'shadow' || rollout.phase === 'canary') && rollout.plan.stages.promote === 'manual' && rollout.verdict?.state === 'pass';
}

/** With a capital and a full stop. */
function sentence(text: string): string {
  const whole = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(whole) ? whole : `${whole}.`;
}

const STATES: readonly VerdictState[] = ['fail', 'open', 'pass'];

/** Checks that fail first, then those that are open; else in the plan's order. */
export function worstFirst(checks: readonly Check[]): Check[] {
  return [...checks].sort((a, b) => STATES.indexOf(a.state) - STATES.indexOf(b.state));
}
