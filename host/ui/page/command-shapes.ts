// The shapes of /api/v1/commands, as `host/api` makes them.
import type { Quality } from './shapes';

export type CommandState =
  | 'proposed' | 'checked' | 'held' | 'armed' | 'sent' | 'transport-acked' | 'verified' | 'refused' | 'expired'
  | 'superseded' | 'failed' | 'indeterminate';

/** Whether the host may write to the field at all. */
export interface Dispatch { possible: boolean; reason: string | null; held: number; in_doubt: number }

export interface Proposer { kind: 'behavior' | 'operator' | 'program'; name: string; version: string | null; digest: string | null }
export interface Evidence { point: string; value: number | null; quality: Quality; time: string }
/** `holds`: it counts now. */
export interface Approval { by: string; at: string; holds: boolean }
export interface Receipt { text: string; at: string }
export interface ReadBack { value: number; time: string; received: string }
export interface Resolved { by: string; note: string; at: string }

export interface Command {
  id: string;
  number: number;
  twin: string;
  target: string;
  value: number;
  unit: string;
  digest: string;
  class: string;
  proposer: Proposer;
  reason: string;
  evidence: Evidence[];
  proposed: string;
  not_after: string;
  state: CommandState;
  since: string;
  detail: string;
  rule: string | null;
  /** Until when it stands so by itself. */
  until: string | null;
  approvers: number;
  missing_approvals: number;
  approvals: Approval[];
  sent: string | null;
  receipt: Receipt | null;
  read_back: ReadBack | null;
  resolved: Resolved | null;
}

export interface Commands { commands: Command[]; next: number | null; dispatch: Dispatch }

/** One change; `cause` is what the host keeps of it, whole. */
export interface Transition { step: number; state: CommandState; time: string; event: string; cause: Record<string, unknown> | null }

/** One rule and what it reads now; `refuses` is null where that depends on the command. */
export interface Rule { kind: string; rule: string; allowed: string; reads: string; refuses: boolean | null; bypassed_by: string | null }
export interface Refusal { rule: string; seen: string; allowed: string }
export interface Interlocks { permits: boolean; refusal: Refusal | null; rules: Rule[] }

/** `interlocks` is null when nothing of the command can be sent any more. */
export interface CommandDetail { command: Command; transitions: Transition[]; interlocks: Interlocks | null }
