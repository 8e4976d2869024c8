// The thread of an asset as /api/v1/twins/{id}/thread gives it. Nothing here has behavior.
import type { Severity } from './shapes';

export type ThreadKind = 'design' | 'version' | 'calibration' | 'samples' | 'alert' | 'decision' | 'record' | 'event';

export interface Explain {
  behavior: string | null;
  /** `name@version` of what answered. */
  plugin: string | null;
  digest: string | null;
  rows: { from: string; to: string } | null;
  /** A command line, in which SITE.toml stands for the site's configuration. */
  replay: string | null;
  rollout: number | null;
  command: string | null;
  /** How the command stands now, and who approved it. */
  verdict: string | null;
  journal: number | null;
}

/** A record of another system. */
export interface ThreadRecord {
  source: string;
  id: string;
  state: string;
  link: string | null;
  changed: string | null;
  received: string;
  corrected: string | null;
  revision: number;
  by: string;
}

export interface ThreadEntry {
  id: string;
  kind: ThreadKind;
  what: string;
  time: string;
  until: string | null;
  severity: Severity;
  title: string;
  detail: string;
  facts: Record<string, unknown> | null;
  explain: Explain;
  record: ThreadRecord | null;
}

export interface Extent { point: string; unit: string; description: string; first: string | null; last: string | null }

export interface Asset {
  display_name: string;
  type: string;
  type_name: string;
  area: string | null;
  line: string | null;
  authority: string;
  behaviors: { name: string; plugin: string; versions: string; parameters: Record<string, unknown> | null }[];
  points: Extent[];
  points_total: number;
  targets: string[];
}

export interface ThreadPage { twin: string; asset: Asset | null; entries: ThreadEntry[]; next: string | null }
