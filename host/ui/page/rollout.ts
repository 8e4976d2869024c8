// The rules of what a page shows of a rollout: its steps and ways out, what a person may order in which phase and
// why not, how long a phase may still take. All of it pure; the host decides, this only says it beforehand.
import { age, count } from './format';
import type { Check, Phase, Rollout, VerdictState } from './rollout-shapes';

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

/** Each step of the way and how it stands. A step that was not entered although a later one was is skipped. */
export function stepsOf(rollout: Pick<Rollout, 'phase' | 'history'>): Step[] {
  const places = [...rollout.history.map((step) => step.phase), rollout.phase].map(placeOf);
  const furthest = Math.max(...places);
  const onWay = placeOf(rollout.phase) >= 0;
  return WAY.map((step, i) => ({ ...step, state: stateOf(i) }));

  function stateOf(i: number): StepState {
    if (i > furthest) return 'ahead';
    if (!places.includes(i)) return 'skipped';
    if (i < furthest || endedWell(rollout.phase)) return 'done';
    return onWay ? 'here' : 'stopped';
  }
}

/** The step that a phase belongs to; −1 when it has left the way. The old version is let go on the last step. */
function placeOf(phase: Phase): number {
  return WAY.findIndex((step) => step.phase === (phase === 'settling' ? 'permanent' : phase));
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

const waits = (phase: Phase): boolean => phase === 'shadow' || phase === 'canary' || phase === 'probation';
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
