// A rollout's plan from what a person typed. An empty field is left out, so that the host's own default counts; what
// is not a number where one is wanted is told by its label. The host checks the plan again.
import type { Declaration } from './shapes';

/** A plan as it is sent: only what was asked for. */
export interface PlanWish { plugin: string; version: string; [member: string]: unknown }

export type Canary = 'none' | 'count' | 'share' | 'twins';

export interface Form {
  behavior: string;
  twins: string;
  shadow: Spell;
  canary: Spell & { kind: Canary; whom: string };
  probation: Spell;
  manual: boolean;
  cold: boolean;
  /** An innovation or NIS beyond its limit passes where the running version lies as far beyond. */
  noWorse: boolean;
  /** How far the first commands after a switch may step away. */
  bumpless: { step: string; commands: string };
  /** By output, and `*` for those without a limit of their own. */
  difference: Record<string, { absolute: string; relative: string }>;
  limits: Record<string, string>;
}

/** How long a phase goes on at least, in compared rows of each twin and in seconds, and how long at most. */
export interface Spell { rows: string; seconds: string; longest: string }

/** How long a phase may take when the plan does not say so, in seconds: the host's own defaults. */
const LONGEST = { Shadow: 3_600, Canary: 3_600, Probation: 600 };

/** Limits of acceptance beside the differences of outputs. */
export const LIMITS: readonly { key: string; text: string; hint: string }[] = [
  { key: 'exceed_share_max', text: 'Rows beyond a difference', hint: 'share, 0 … 1' },
  { key: 'rows_min', text: 'Compared rows at least', hint: 'rows' },
  { key: 'faults_max', text: 'Faults at most', hint: 'number' },
  { key: 'nan_share_extra_max', text: 'More values missing', hint: 'share, 0 … 1' },
  { key: 'alert_rate_ratio_max', text: 'Alerts, new to old', hint: 'ratio' },
  { key: 'alert_rate_extra_per_hour_max', text: 'More alerts', hint: 'per twin and hour' },
  { key: 'proposals_differ_share_max', text: 'Proposals that differ', hint: 'share, 0 … 1' },
  { key: 'proposals_tolerance_share', text: 'Proposals are the same within', hint: 'share of the command’s range, 0 … 1' },
  { key: 'proposals_refused_max', text: 'Proposals an interlock would refuse', hint: 'number' },
  { key: 'fuel_per_row_ratio_max', text: 'Fuel a row, new to old', hint: 'ratio' },
  { key: 'fuel_per_row_max', text: 'Fuel a row', hint: 'number' },
  { key: 'deadline_ms', text: 'Deadline of a call', hint: 'ms' },
  { key: 'deadline_misses_share_max', text: 'Calls that miss the deadline', hint: 'share, 0 … 1' },
  { key: 'innovation_mean_sigma_max', text: 'Mean innovation', hint: 'σ' },
  { key: 'nis_confidence', text: 'NIS inside its band', hint: 'confidence, such as 0.999' },
  { key: 'nis_degrees', text: 'NIS, degrees of freedom', hint: 'of one row; else by what was measured' },
];

export function emptyForm(declaration: Declaration | null): Form {
  const outputs = ['*', ...(declaration?.outputs ?? []).map((output) => output.name)];
  return {
    behavior: '', twins: '', shadow: { rows: '100', seconds: '', longest: '' }, canary: { kind: 'none', whom: '', rows: '100', seconds: '', longest: '' },
    probation: { rows: '', seconds: '', longest: '' }, manual: false, cold: false, noWorse: false, bumpless: { step: '', commands: '' },
    difference: Object.fromEntries(outputs.map((name) => [name, { absolute: '', relative: '' }])),
    limits: Object.fromEntries(LIMITS.map(({ key }) => [key, ''])),
  };
}

/** The plan, and what stands in its way. Members without any content are not there at all. */
export function planOf(form: Form, plugin: string, digest: string): { plan: PlanWish; problems: string[] } {
  const problems: string[] = [];
  const number = (text: string, what: string): number | undefined => {
    if (text.trim() === '') return undefined;
    const value = Number(text);
    if (Number.isFinite(value) && value >= 0) return value;
    problems.push(`${what}: “${text}” is not a number from zero up.`);
    return undefined;
  };
  // Who wishes for more seconds than a phase may take wishes for more time too: twice as much, as the command line has it.
  const spell = (of: Spell, what: keyof typeof LONGEST): object => {
    const seconds = number(of.seconds, `${what}, seconds`);
    const longest = number(of.longest, `${what}, seconds at most`);
    if (longest !== undefined && (seconds ?? 0) > longest) problems.push(`${what}: ${seconds} seconds at least are more than ${longest} at most.`);
    const grown = seconds !== undefined && seconds > LONGEST[what] ? 2 * seconds : undefined;
    return { rows: number(of.rows, `${what}, rows`), seconds, seconds_max: longest ?? grown };
  };
  const difference = Object.fromEntries(Object.entries(form.difference).flatMap(([name, limit]) => {
    const own = filled({ absolute: number(limit.absolute, `${name}, absolute`), relative: number(limit.relative, `${name}, relative`) });
    return own === undefined ? [] : [[name, own]];
  }));
  const limits = Object.fromEntries(LIMITS.map(({ key, text }) => [key, number(form.limits[key] ?? '', text)]));
  const plan = filled({
    plugin, version: digest, behavior: form.behavior.trim() || undefined, twins: form.twins.trim() || undefined,
    stages: filled({
      shadow: filled(spell(form.shadow, 'Shadow')),
      canary: form.canary.kind === 'none' ? undefined : filled({ ...whom(form.canary, number, problems), ...spell(form.canary, 'Canary') }),
      probation: filled(spell(form.probation, 'Probation')),
      promote: form.manual ? 'manual' : undefined,
      cold_start: form.cold || undefined,
      bumpless: filled({ step_share: number(form.bumpless.step, 'First commands, step'), commands: number(form.bumpless.commands, 'First commands, how many') }),
      acceptance: filled({ difference: filled(difference), ...limits, innovation_no_worse: form.noWorse || undefined }),
    }),
  });
  if (form.manual && form.canary.kind === 'none' && !Number(form.shadow.rows) && !Number(form.shadow.seconds)) {
    problems.push('Waiting for a person needs a shadow or a canary to wait in.');
  }
  return { plan: { plugin, version: digest, ...plan }, problems };
}

function whom(canary: Form['canary'], number: (text: string, what: string) => number | undefined, problems: string[]): object {
  if (canary.whom.trim() === '') {
    problems.push('Canary: say how many twins, which share or which twins, or choose none.');
    return {};
  }
  if (canary.kind === 'twins') return { twins: canary.whom.split(/[\s,]+/).filter(Boolean) };
  const value = number(canary.whom, `Canary, ${canary.kind}`);
  if (canary.kind === 'count' && value !== undefined && !Number.isInteger(value)) problems.push('Canary, count: must be a whole number.');
  if (canary.kind === 'share' && value !== undefined && value > 1) problems.push('Canary, share: must be at most 1.');
  return { [canary.kind]: value };
}

/** Without the members that are not there; `undefined` when none is left. */
function filled(members: Record<string, unknown> | object): Record<string, unknown> | undefined {
  const left = Object.entries(members).filter(([, value]) => value !== undefined);
  return left.length === 0 ? undefined : Object.fromEntries(left);
}
