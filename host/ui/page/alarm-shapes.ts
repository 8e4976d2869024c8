// The shapes of /api/v1/alarms, as docs/generated/openapi.json has them.
import type { Priority } from './shapes';

export type AlarmState =
  | 'normal' | 'unacknowledged' | 'acknowledged' | 'returned' | 'latched-unacknowledged' | 'latched-acknowledged'
  | 'shelved' | 'suppressed-by-design' | 'suppressed-by-staleness' | 'out-of-service';

/** Who did something to an alarm; `until` only where it ends by itself. */
export interface AlarmMark { by: string; at: string; reason: string; until: string | null }

export interface Alarm {
  twin: string;
  name: string;
  priority: Priority;
  state: AlarmState;
  message: string;
  consequence: string;
  response: string;
  value: number | null;
  unit: string;
  detail: string;
  since: string;
  raised: string | null;
  latch: boolean;
  group: string | null;
  first_out: boolean;
  chattering: boolean;
  standing: boolean;
  told: number;
  acknowledged: AlarmMark | null;
  shelved: AlarmMark | null;
  out_of_service: AlarmMark | null;
}

export interface AlarmCounts {
  critical: number;
  high: number;
  medium: number;
  low: number;
  unacknowledged: number;
  shelved: number;
  suppressed_by_design: number;
  suppressed_by_staleness: number;
  out_of_service: number;
  chattering: number;
  standing: number;
}

export interface AlarmFigures {
  last_10_min: number;
  last_day: number;
  peak_10_min: number;
  told: number;
  flood_since: string | null;
  floods: number;
}

export interface Alarms { alarms: Alarm[]; total: number; counts: AlarmCounts; figures: AlarmFigures }
