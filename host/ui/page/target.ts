// What the page knows of targets and of authority: words for owners, the orders that fit, what is bypassed, and what an
// authority would mean. The host asks all of it again.
import { age, moment } from './format';
import type { Rule } from './command-shapes';
import type { Authority, Holding, Level, Role, Target, TwinAuthority } from './target-shapes';

export type TargetOrder = 'propose' | 'hold' | 'local' | 'release' | 'lockout' | 'reset' | 'bypass' | 'end-bypass';

export const AUTHORITIES: readonly Authority[] = ['observe', 'advise', 'control'];
export const ROLES: readonly Role[] = ['operator', 'engineer', 'approver', 'admin'];
/** Seconds that the page offers, for what must have an end. */
export const SPANS_S = [300, 900, 3_600, 4 * 3_600, 8 * 3_600, 86_400] as const;

export const ORDER_NAMES: Record<TargetOrder, string> = {
  propose: 'Propose a value', hold: 'Hold as an operator', local: 'Give to the panel', release: 'Release', lockout: 'Lock out', reset: 'Reset', bypass: 'Bypass', 'end-bypass': 'End the bypass',
};

/** What an order does, in words. */
export function orderConsequence(order: TargetOrder, target: Target, rule: string): string {
  switch (order) {
    case 'propose': return `A command of class ${target.class}: ${target.approvers === 0 ? 'it is sent when the interlocks let it through' : `${target.approvers === 1 ? 'one other person approves it' : 'two other people approve it'} before it is sent`}.`;
    case 'hold': return 'Only you may command it until it is released; behaviors and programs are refused.';
    case 'local': return 'The machine is operated at its own panel: this host writes nothing until it is released.';
    case 'release': return 'It goes to whoever comes next. What that one starts from is what the feedback shows.';
    case 'lockout': return 'Somebody works on the machine: nobody may write it until the end, or until who sets it releases it.';
    case 'reset': return `Trip “${rule}” stays until it is reset, and can be reset only when its cause is over.`;
    case 'bypass': return `The check “${rule}” is passed over for a while. It stands on every screen until it ends.`;
    case 'end-bypass': return `“${rule}” is checked again from now on.`;
  }
}

/** Which orders need a reason in words. */
export const needsReason = (order: TargetOrder): boolean => ['hold', 'local', 'lockout', 'bypass', 'end-bypass'].includes(order);
/** Which orders ask as what somebody acts. */
export const needsRole = (order: TargetOrder): boolean => ['reset', 'bypass', 'end-bypass'].includes(order);

const OWNERS: Record<Level, string> = {
  behavior: 'behaviors', operator: 'an operator', local: 'the panel of the machine', lockout: 'nobody: locked out',
};

/** Who owns a target now, by name where somebody asked for it. */
export function ownerWords(target: Target): string {
  const holding = target.holdings.find((one) => one.level === target.owner);
  const words = OWNERS[target.owner] ?? target.owner;
  if (holding === undefined) return words;
  return target.owner === 'operator' ? holding.by : `${words} (${holding.by})`;
}

export function holdingWords(holding: Holding): string {
  const until = holding.until === null ? 'until it is released' : `until ${moment(holding.until)}`;
  return `${holding.level} by ${holding.by} since ${moment(holding.since)}, ${until}${holding.reason === '' ? '' : `: ${holding.reason}`}`;
}

/** Orders of the target as a whole; those of a rule or a latch stand beside it. */
export function ordersOf(target: Target): TargetOrder[] {
  const locked = target.owner === 'lockout';
  const orders: TargetOrder[] = locked || target.owner === 'local' ? [] : ['propose', 'hold', 'local'];
  if (!locked) orders.push('lockout');
  return target.holdings.length > 0 ? [...orders, 'release'] : orders;
}

/** What a rule says now, in one word. */
export function ruleWord(rule: Rule): 'bypassed' | 'refuses' | 'passes' | 'depends' {
  if (rule.bypassed_by !== null) return 'bypassed';
  return rule.refuses === null ? 'depends' : rule.refuses ? 'refuses' : 'passes';
}

/** What a person should look at first: trips, latches, bypasses, a line that is down, somebody's hold. */
export function weight(target: Target): number {
  const kinds = [target.tripped, target.latches.length > 0, target.bypasses.length > 0, !target.egress.up, target.owner !== 'behavior', target.open.length > 0];
  return kinds.reduce((sum, there, i) => sum + (there ? 2 ** (kinds.length - i) : 0), 0);
}

export interface TwinTargets { twin: string; authority: TwinAuthority | null; targets: Target[] }

/** The targets by twin, worst twin first, equals by name; only those that the words are about. */
export function byTwin(targets: readonly Target[], authorities: readonly TwinAuthority[], words: string): TwinTargets[] {
  const wanted = words.trim().toLowerCase();
  const groups = new Map<string, Target[]>();
  for (const target of targets) {
    const said = `${target.twin} ${target.name} ${target.class} ${target.commands.join(' ')}`.toLowerCase();
    if (said.includes(wanted)) groups.set(target.twin, [...(groups.get(target.twin) ?? []), target]);
  }
  const worst = (group: TwinTargets) => Math.max(...group.targets.map(weight));
  return [...groups].map(([twin, own]) => ({ twin, authority: authorities.find((one) => one.twin === twin) ?? null, targets: own }))
    .sort((a, b) => worst(b) - worst(a) || a.twin.localeCompare(b.twin, 'en', { numeric: true }));
}

/** A bypass as every screen shows it. `until` in ms of the host's clock. */
export interface Bypassed { twin: string; target: string; rule: string; by: string; reason: string; until: number }

/** What is bypassed, what ends last standing first. `now` is the host's clock at the answer. */
export function bypassed(targets: readonly Target[], now: number): Bypassed[] {
  const all = targets.flatMap((target) => target.bypasses.map(({ rule, by, reason, left_s }) => ({ twin: target.twin, target: target.name, rule, by, reason, until: now + 1_000 * left_s })));
  return all.sort((a, b) => b.until - a.until);
}

export const bypassKey = (one: Bypassed): string => `${one.twin}/${one.target}/${one.rule}/${one.by}`;

export function bypassWords(one: Bypassed, now: number): string {
  return `“${one.rule}” of ${one.target}, ${one.twin}, is bypassed by ${one.by} for ${age(Math.max(0, Math.ceil((one.until - now) / 1_000)) * 1_000)} more${one.reason === '' ? '' : `: ${one.reason}`}`;
}

const rank = (authority: Authority): number => AUTHORITIES.indexOf(authority);

/** Why the twin cannot be given this; null when it can be asked for. */
export function whyNotAuthority(standing: TwinAuthority, wanted: Authority): string | null {
  if (rank(wanted) > rank(standing.configured)) return `The site gives ${standing.twin} no more than ${standing.configured}.`;
  return wanted === standing.effective && (wanted !== 'control' || standing.armed !== null) ? `It has ${wanted} already.` : null;
}

/** What the order does, in words. */
export function authorityConsequence(standing: TwinAuthority, wanted: Authority): string {
  const { twin } = standing;
  if (wanted === 'control') return `Arms ${twin}: what its behaviors propose goes to the field by itself, as far as classes and interlocks let it. After the next start it has to be armed again.`;
  if (wanted === 'advise') return `What the behaviors of ${twin} propose is shown to people, and sent only when somebody approves it. It stays so until somebody arms it.`;
  return `Nothing is written to ${twin}, whoever wishes it. It stays so until somebody raises it again.`;
}

/** The word that has to be typed; null where the order only takes power away, which must be quick. */
export const authorityWord = (standing: TwinAuthority, wanted: Authority): string | null =>
  rank(wanted) > rank(standing.effective) ? `${wanted} ${standing.twin}` : null;

/** Where it stands, in one sentence. */
export function authorityWords(standing: TwinAuthority): string {
  if (standing.effective === standing.configured) return `It has ${standing.effective}, all that the site gives it.`;
  return `It has ${standing.effective}; the site gives it ${standing.configured}.`;
}

/** The number that somebody typed; null when it is none. */
export function wishOf(text: string): number | null {
  const plain = text.trim().replace('\u2212', '-').replace(',', '.');
  return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d{1,3})?$/i.test(plain) && Number.isFinite(Number(plain)) ? Number(plain) : null;
}
