// What the page knows of commands: words for their states and causes, the orders that fit, and whether what somebody is
// about to approve is still what was shown. The host asks all of it again; this is for people to see it first.
import type { Command, CommandDetail, CommandState, Proposer, Transition } from './command-shapes';
import { age, moment, quantity } from './format';

export type CommandOrder = 'approve' | 'refuse' | 'withdraw' | 'resolve';

/** All states, in the order of a command's way; the last five are ends, the very last of them a doubtful one. */
export const STATES: readonly CommandState[] = [
  'proposed', 'checked', 'held', 'armed', 'sent', 'transport-acked', 'verified', 'refused', 'expired', 'superseded', 'failed', 'indeterminate',
];
const UNSENT: readonly CommandState[] = ['proposed', 'checked', 'held', 'armed'];

const WORDS: Record<CommandState, string> = {
  proposed: 'proposed', checked: 'checked', held: 'waits for approval', armed: 'armed', sent: 'sent', 'transport-acked': 'delivered, not yet shown by the field',
  verified: 'verified', refused: 'refused', expired: 'expired', superseded: 'superseded', failed: 'failed', indeterminate: 'nobody knows whether it was carried out',
};
const EVENTS: Record<string, string> = {
  propose: 'proposed', permit: 'the interlocks let it through', refuse: 'not let through', hold: 'shown to people for approval', approve: 'approved', reject: 'not approved',
  arm: 'may be sent', send: 'about to leave the host', acknowledge: 'the transport has it', 'not-sent': 'could not be sent', decline: 'turned down by the other side',
  lose: 'lost on the way', 'read-back': 'shown by the feedback point', tick: 'time went by', supersede: 'a newer command took its place', withdraw: 'taken back',
  restart: 'the host started again', resolve: 'a person has looked', overtake: 'a newer command that is read back at the same point was sent',
};

export const stateWords = (state: CommandState): string => WORDS[state] ?? state;
export const isUnsent = (state: CommandState): boolean => UNSENT.includes(state);
/** Somebody has to look what became of it. */
export const isInDoubt = (command: Command): boolean => command.state === 'indeterminate' && command.resolved === null;
/** It did not come to what was wished. */
export const wentWrong = (state: CommandState): boolean => state === 'failed' || state === 'indeterminate';

/** `load_limit = 72.5 %`, as it is to be on the machine. */
export const wishWords = (command: Pick<Command, 'target' | 'value' | 'unit'>): string => `${command.target} = ${quantity(command.value, command.unit)}`;

export function proposerWords(proposer: Proposer): string {
  if (proposer.kind === 'behavior') return `behavior ${proposer.name}${proposer.version === null ? '' : ` ${proposer.version}`}`;
  return proposer.kind === 'program' ? `program ${proposer.name}` : proposer.name;
}

/** The orders that fit a command as it stands. */
export function ordersFor(command: Command): CommandOrder[] {
  if (command.state === 'held') return command.missing_approvals > 0 ? ['approve', 'refuse', 'withdraw'] : ['refuse', 'withdraw'];
  if (isUnsent(command.state)) return ['withdraw'];
  return isInDoubt(command) ? ['resolve'] : [];
}

/** Whether two names are one person, as the host has it: a login of an issuer, `oidc:ada`, is the `ada` of the host. */
export const samePerson = (one: string, other: string): boolean => person(one) === person(other);
const person = (name: string): string => name.trim().toLowerCase().replace(/^oidc:/, '').trim();

/** Why this person may not approve it; null when nothing is known against it. */
export function whyNotBy(command: Command, by: string): string | null {
  if (by.trim() === '') return null;
  if (command.proposer.kind !== 'behavior' && samePerson(command.proposer.name, by)) return `${by.trim()} proposed it: somebody else must approve it.`;
  const given = command.approvals.find((approval) => approval.holds && samePerson(approval.by, by));
  return given === undefined ? null : `${by.trim()} has approved it already: somebody else must approve it, too.`;
}

/** Why what was shown cannot be approved any more; null while it can. `now` is the host's clock in ms. */
export function sinceShown(shown: Command, current: Command, now: number): string | null {
  if (shown.digest !== current.digest) return 'Meanwhile it is another command than the one that was shown: leave it and look again.';
  if (current.state !== 'held') return `Meanwhile it ${current.state === 'indeterminate' ? 'is indeterminate' : `is ${current.state}`}${current.detail === '' ? '' : `: ${current.detail}`}.`;
  if (current.until !== null && Date.parse(current.until) <= now) return 'The time for approval is over: it expires.';
  if (Date.parse(current.not_after) <= now) return 'Its deadline is over: it expires.';
  return current.missing_approvals === 0 ? 'It has all approvals that it needs.' : null;
}

/** What the interlocks say of it now, in one sentence. */
export function interlockWords(detail: CommandDetail): string {
  const said = detail.interlocks;
  if (said === null) return 'Nothing of it can be sent any more; the interlocks are not asked.';
  if (said.permits) return 'They would let it through now.';
  if (said.refusal === null) return 'They would not let it through now.';
  const { rule, seen, allowed } = said.refusal;
  return `“${rule}” would refuse it now: ${seen}${allowed === '' ? '' : `; allowed is ${allowed}`}.`;
}

/** How long it stands so by itself, and what comes then; null when it has no end. */
export function leftWords(command: Command, now: number): string | null {
  const end = Math.min(...[isUnsent(command.state) ? command.not_after : null, command.until].filter((time) => time !== null).map(Date.parse));
  if (!Number.isFinite(end)) return null;
  const left = end - now;
  if (command.state === 'indeterminate') return left > 0 ? `a read-back may still settle it for ${age(left)}` : 'no read-back settles it any more';
  return left > 0 ? `expires in ${age(left)}` : 'its time is over';
}

const text = (value: unknown): string => (typeof value === 'string' ? value : '');

/** What caused a change, in words: who, and why. */
export function causeWords(transition: Transition, unit: string): string {
  const cause = transition.cause ?? {};
  const words = EVENTS[transition.event] ?? transition.event;
  if (transition.event === 'read-back' && typeof cause['value'] === 'number') return `${words}: ${quantity(cause['value'], unit)}`;
  const by = text(cause['by']);
  const who = by === '' ? '' : ['supersede', 'overtake'].includes(transition.event) ? `, ${by}` : ` by ${by}`;
  const rule = text(cause['rule']);
  const why = ['reason', 'note', 'receipt'].map((name) => text(cause[name])).find((one) => one !== '');
  return `${words}${who}${rule === '' ? '' : ` by “${rule}”`}${why === undefined ? '' : `: ${why}`}`;
}

/** What is known of a command's end besides its state. */
export function outcomeWords(command: Command): string {
  if (command.resolved !== null) return `${command.resolved.by} has looked: ${command.resolved.note}`;
  if (command.read_back !== null) return `read back ${quantity(command.read_back.value, command.unit)} at ${moment(command.read_back.time)}`;
  if (command.rule !== null) return `“${command.rule}”: ${command.detail}`;
  return command.detail !== '' ? command.detail : (command.receipt?.text ?? '');
}

/** The list with a command as an answer gave it, in its place. */
export function withCommand(commands: readonly Command[], changed: Command): Command[] {
  return commands.map((command) => (command.id === changed.id ? changed : command));
}

/** Pages of commands as one list: newest first, each once as it was read last, never more than `max`. */
export function mergedCommands(have: readonly Command[], more: readonly Command[], max: number): Command[] {
  const byId = new Map([...have, ...more].map((command) => [command.id, command]));
  return [...byId.values()].sort((a, b) => b.number - a.number).slice(0, max);
}
