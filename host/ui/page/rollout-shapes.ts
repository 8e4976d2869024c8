// The JSON of /api/v1/rollouts as the page reads it. Plan, verdict and evidence are made in `host/rollout` and passed
// on by `host/api` as they are; members that the page does not show are left out here.

export type Phase =
  | 'verifying' | 'compiling' | 'raising' | 'shadow' | 'canary' | 'promoting' | 'probation' | 'settling' | 'withdrawing'
  | 'permanent' | 'rolled-back' | 'failed' | 'cancelled';
export type VerdictState = 'open' | 'pass' | 'fail';
export type ChangeSeverity = 'info' | 'widening' | 'breaking';

export interface VersionRef { version: string; digest: string }
/** `rows_min`: compared rows of the twin that has fewest. */
export interface RolloutTwins { all: number; enrolled: number; warm: number; authoritative: number; rows_min: number }
export interface RolloutStep { time: string; phase: Phase; reason: string }
export interface Change { what: string; severity: ChangeSeverity; text: string }

export interface Check { name: string; state: VerdictState; limit: string; value: number | null; detail: string }
export interface JudgedVerdict { state: VerdictState; checks: Check[] }

/** Largest difference of an output: the wider of the limits that are given holds. */
export interface Difference { absolute?: number; relative?: number }

export interface OutputEvidence {
  output: string;
  unit: string;
  compared: boolean;
  rows: number;
  equal: number;
  difference_mean: number | null;
  difference_max: number | null;
  difference_rms: number | null;
  bias: number | null;
  relative_max: number | null;
  allowed: Difference | null;
  beyond: number;
  nan_old: number;
  nan_new: number;
}
export interface Mean { rows: number; mean: number | null; sigma: number | null }
export interface NisSide { rows: number; degrees: number; mean: number | null; band_low: number | null; band_high: number | null }
export interface CostSide { fuel_per_row: number | null; step_us_per_row: number | null; call_ms_max: number; deadline_misses: number }
export interface Fault { twin: string; time_ms: number; kind: string; message: string }
export interface WorstRow { twin: string; time_ms: number; output: string; old: number | null; new: number | null; times_limit: number | null }
/** One output of one twin in both versions; a long one is thinned to its rows with the largest differences. */
export interface EvidenceCurve { twin: string; output: string; unit: string; times_ms: number[]; old: (number | null)[]; new: (number | null)[] }

/** *Old* is the version that runs, *new* the one on trial; differences are new minus old. */
export interface Evidence {
  rows: number;
  rows_warming: number;
  twins: number;
  twin_hours: number;
  outputs: OutputEvidence[];
  innovations: { output: string; unit: string; old: Mean; new: Mean }[];
  nis: { output: string; confidence: number; old: NisSide; new: NisSide }[];
  alerts: { old: number; new: number; old_per_hour: number | null; new_per_hour: number | null };
  proposals: { rows: number; differ: number; old: number; new: number; old_refused: number; new_refused: number };
  costs: { rows: number; calls: number; deadline_ms: number; old: CostSide; new: CostSide };
  faults_total: number;
  faults: Fault[];
  worst: WorstRow[];
  curves: EvidenceCurve[];
}

/** The plan with every default filled in. */
export interface Plan {
  plugin: string;
  version: string;
  behavior?: string;
  twins?: string;
  stages: {
    verify_seconds_max: number;
    compile_seconds_max: number;
    raise_seconds_max: number;
    warm_up_seconds_max: number;
    shadow: Spell;
    canary: Spell & { twins?: string[]; count?: number; share?: number };
    probation: Spell;
    promote: 'automatic' | 'manual';
    cold_start: boolean;
    [member: string]: unknown;
  };
}
interface Spell { rows: number; seconds: number; seconds_max: number }

export interface JudgedPhase { phase: Phase; since: string; until: string; verdict: JudgedVerdict | null; evidence: Evidence | null }

export interface RolloutSummary {
  id: number;
  binding: string;
  plugin: string;
  /** The version that ran when it began; null when none did. */
  from: VersionRef | null;
  to: VersionRef;
  automatic: boolean;
  by: string;
  phase: Phase;
  phase_since: string;
  /** When this phase is given up; null once the rollout has ended. */
  phase_deadline: string | null;
  started: string;
  ended: string | null;
  reason: string | null;
  twins: RolloutTwins;
  plan: Plan;
  verdict: JudgedVerdict | null;
  /** What was found in the phases that are over, oldest first; in the list without their evidence. */
  phases: JudgedPhase[];
  history: RolloutStep[];
  diff: Change[];
}

export interface Rollout extends RolloutSummary { evidence: Evidence | null }
export interface Rollouts { rollouts: RolloutSummary[] }

/** `event: rollout`: read its page anew. */
export interface RolloutEvent { id: number; binding: string; phase: Phase; twins: RolloutTwins; verdict: VerdictState | null }

export interface PlannedPhase { phase: Phase; text: string; seconds_max: number }
export interface RolloutPreview {
  binding: string | null;
  plugin: string;
  from: VersionRef | null;
  to: VersionRef | null;
  /** The first 1000. */
  twins: string[];
  twins_total: number;
  canary: string[];
  plan: Plan;
  diff: Change[];
  phases: PlannedPhase[];
  /** Why it would be refused; empty when it would be begun. */
  refusals: string[];
}
