// The shapes of /api/v1/targets and of the authority of a twin, as `host/api` makes them.
import type { Dispatch, Rule } from './command-shapes';
import type { Quality } from './shapes';

export type Authority = 'observe' | 'advise' | 'control';
/** As what somebody owns a target, lowest first. */
export type Level = 'behavior' | 'operator' | 'local' | 'lockout';
export type Role = 'operator' | 'engineer' | 'approver' | 'admin';

export interface Feedback { point: string; value: number | null; quality: Quality; time: string | null; tolerance: number; within_s: number }
export interface Written { value: number; at: string; verified: boolean }
export interface Holding { level: Level; by: string; reason: string; since: string; until: string | null }
export interface Latch { rule: string; at: string; seen: string }
export interface Bypass { rule: string; by: string; reason: string; left_s: number }
/** `silent`: why none leaves now; null while it beats. */
export interface Heartbeat { address: string; every_ms: number; beats: number; last: string | null; silent: string | null }
export interface Egress { source: string; address: string; up: boolean }

export interface Target {
  twin: string;
  name: string;
  unit: string;
  class: string;
  approvers: number;
  /** Commands of behaviors that may propose a value. */
  commands: string[];
  feedback: Feedback | null;
  written: Written | null;
  owner: Level;
  /** Highest first. */
  holdings: Holding[];
  /** Ids of commands that are not over. */
  open: string[];
  latches: Latch[];
  bypasses: Bypass[];
  tripped: boolean;
  rules: Rule[];
  fail_action: string;
  heartbeat: Heartbeat | null;
  egress: Egress;
}

export interface TwinAuthority {
  twin: string;
  configured: Authority;
  effective: Authority;
  armed: { by: string; at: string } | null;
  /** Why it has less than the site gives it. */
  reasons: string[];
}

export interface Targets { targets: Target[]; authorities: TwinAuthority[]; dispatch: Dispatch }
