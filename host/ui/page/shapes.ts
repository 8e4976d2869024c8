// The JSON of /api/v1 as the page reads it. Times are RFC 3339 UTC strings unless the name ends in _ms; a number
// that is not known is null. Nothing here has behavior; `host/api` is where these shapes are made.

import type { Phase } from './rollout-shapes';

export type TwinState = 'live' | 'stale' | 'waiting';
export type Verdict = 'ok' | 'warning' | 'critical' | 'unknown';
export type Priority = 'journal' | 'low' | 'medium' | 'high' | 'critical';
export type Quality = 'good' | 'uncertain' | 'bad' | 'stale' | 'missing';
export type Severity = 'info' | 'warning' | 'error';
export type Role = 'estimate' | 'deviation' | 'innovation' | 'nis' | 'health-index' | 'converged' | 'diagnostic';

/** Quality names by the number that series and events carry. */
export const QUALITIES: readonly Quality[] = ['good', 'uncertain', 'bad', 'stale', 'missing'];

export interface Health { index: number | null; verdict: Verdict }
export interface AlertCount { active: number; highest: Priority | null }

export interface Site {
  name: string;
  version: string;
  started: string;
  now: string;
  twins: { total: number; live: number; stale: number; waiting: number };
  alerts: AlertCount;
  /** Null for whoever sees some twins only. */
  inputs: { samples: number; refused: number; late: number; duplicates: number } | null;
  store: { writable: boolean; reason: string | null };
}

export interface Summary {
  id: string;
  type: string;
  state: TwinState;
  age_ms: number | null;
  health: Health;
  alerts: AlertCount;
  authority: string;
}

export interface TwinPage { twins: Summary[]; total: number; next: string | null }

export interface Point {
  name: string;
  unit: string;
  value: number | null;
  quality: Quality;
  time: string | null;
  received: string | null;
  age_ms: number | null;
  interval_ms: number | null;
  description: string;
  role: Role | null;
  of: string | null;
  behavior: string | null;
}

export interface Behavior {
  name: string;
  plugin: string;
  version: string;
  digest: string;
  kind: string;
  state: 'running' | 'warming-up' | 'quarantined' | 'waiting';
  rows: number;
  since: string;
  fault: string | null;
  /** Null while it does not run. */
  cost: Cost | null;
  /** The version on trial for this twin; null without a rollout. */
  trial: Trial | null;
}

export interface Cost {
  version: string;
  rows: number;
  fuel: number;
  fuel_per_row: number | null;
  step_ms: number;
  step_us_per_row: number | null;
  /** Its share of the instance's. */
  memory_bytes: number;
  instance_bytes: number;
  instance_twins: number;
  rebuilds: number;
  deadline_misses: number;
  faults: number;
  strikes: number;
  /** What stands in for the outputs while the twin is held apart. */
  substitute: string | null;
}

export interface Trial { rollout: number; phase: Phase; authoritative: boolean; warm: boolean }

export interface Alert {
  code: string;
  priority: Priority;
  text: string;
  value: number | null;
  unit: string;
  detail: string;
  since: string;
  behavior: string;
}

export interface TwinDetail extends Omit<Summary, 'alerts'> {
  display_name: string;
  measured: Point[];
  estimated: Point[];
  behaviors: Behavior[];
  alerts: Alert[];
  suppressed_alerts: number;
}

export interface Series {
  point: string;
  unit: string;
  decimated: boolean;
  times_ms: number[];
  values: (number | null)[];
  min: (number | null)[];
  max: (number | null)[];
  quality: number[];
}

export interface Mark { time_ms: number; kind: string; text: string }
export interface History { twin: string; from: string; to: string; series: Series[]; marks: Mark[] }

export interface DeclaredInput { name: string; unit: string; arrival?: string; required?: boolean; description?: string }
export interface DeclaredOutput { name: string; unit: string; role?: string; of?: string; description?: string }
export interface DeclaredAlert { code: string; priority: Priority; text: string; unit?: string }
export interface DeclaredCommand { name: string; unit: string; minimum: number; maximum: number; description?: string }
export interface ParameterSchema {
  properties?: Record<string, { type?: string | string[]; default?: unknown; description?: string; minimum?: number; maximum?: number; 'x-unit'?: string; unit?: string }>;
  required?: string[];
}

export interface Declaration {
  inputs?: DeclaredInput[];
  outputs?: DeclaredOutput[];
  alerts?: DeclaredAlert[];
  commands?: DeclaredCommand[];
  parameters?: ParameterSchema;
  warm_up_rows?: number;
  forecast?: boolean;
  state?: { schema: number; reads: number[]; writes: number[] };
  budget?: { fuel_per_row: number; memory_bytes: number };
}

export interface Plugin {
  name: string;
  version: string;
  digest: string;
  kind: string;
  description: string;
  twins: number;
  running_for: { binding: string; twins: number }[];
  /** Twins that the site pins to it. */
  pinned: number;
  /** Behaviors for which this digest failed once. */
  failed_for: string[];
  state: 'active' | 'available' | 'refused';
  since: string | null;
  declaration: Declaration | null;
}

export interface Plugins { plugins: Plugin[]; refused: { file: string; reason: string; time: string }[] }

export interface Entry {
  seq: number;
  time: string;
  kind: string;
  severity: Severity;
  twin: string | null;
  plugin: string | null;
  message: string;
  facts: unknown;
}

export interface JournalPage { entries: Entry[]; next: number | null }

export interface HelloEvent { version: string; now: string; resumed: boolean }
export interface ValuesEvent {
  twin: string;
  state: TwinState;
  age_ms: number | null;
  health: Health;
  points: Record<string, [number, number | null, number]>;
}
export interface TwinEvent { id: string; state: TwinState; alerts: AlertCount; health: Health }
