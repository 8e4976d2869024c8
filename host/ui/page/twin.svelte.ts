// Everything one twin page shows, kept current: the twin itself (re-read on `twin` events and every few seconds),
// its curves (history once per window, then live values), its marks and journal. One per open twin page; `close`
// ends its work.
import { Curve } from './curve';
import { marksOf, merged, swapTime } from './entries';
import { isUnknown, readHistory, readJournal, readTwin, reason } from './fetch';
import { stateText } from './format';
import { house } from './house.svelte';
import { panelsOf, pointsOf, type Panel } from './panels';
import { readingsOf, withValues, type Readings } from './readings';
import type { Entry, Mark, TwinDetail, ValuesEvent } from './shapes';

export const WINDOWS = [
  { ms: 60_000, text: '1 min' },
  { ms: 600_000, text: '10 min' },
  { ms: 3_600_000, text: '1 h' },
  { ms: 86_400_000, text: '24 h' },
] as const;

const REREAD_MS = 5_000;
const BUCKETS = 1_200;
const LIVE_MARKS_MAX = 100;
const ENTRIES_SHOWN = 20;

export class Twin {
  detail = $state.raw<TwinDetail | null>(null);
  /** Monotonic time at which `detail.age_ms` was true. */
  at = $state(0);
  problem = $state<string | null>(null);
  /** The site has no twin of this name, in the host's words. */
  stranger = $state<string | null>(null);
  readings = $state.raw<Readings>(new Map());
  panels = $state.raw<Panel[]>([]);
  marks = $state.raw<Mark[]>([]);
  entries = $state.raw<Entry[]>([]);
  window_ms = $state<number>(WINDOWS[1].ms);
  loading = $state(true);
  /** Where the drawn window ends. */
  end = $state<number | null>(null);
  /** Counts what the plots should draw. */
  revision = $state(0);
  readonly curves = new Map<string, Curve>();
  /** Newest source time of anything drawn; where the window ends. */
  newest: number | null = null;

  private liveMarks: Mark[] = [];
  private signature = '';
  private due: ReturnType<typeof setTimeout> | undefined;
  private rereadDue: ReturnType<typeof setTimeout> | undefined;
  private readonly ends: (() => void)[] = [];
  private closed = false;
  private asked = 0;

  constructor(readonly id: string) {
    this.ends.push(house.stream.listen({
      values: (event) => { if (event.twin === id) this.live(event); },
      twin: (event) => { if (event.id === id) this.soon(); },
      journal: (entry) => this.wrote(entry),
      resync: () => void this.everything(),
    }));
    const timer = setInterval(() => { if (!house.frozen && !document.hidden) void this.read(); }, REREAD_MS);
    this.ends.push(() => clearInterval(timer));
    // Only a twin that exists is watched: the host refuses a stream about one that does not.
    house.watch([]);
    void this.everything();
  }

  close(): void {
    this.closed = true;
    clearTimeout(this.due);
    clearTimeout(this.rereadDue);
    for (const end of this.ends) end();
  }

  span(window_ms: number): void {
    this.window_ms = window_ms;
    void this.past();
  }

  curve(point: string): Curve {
    const known = this.curves.get(point);
    if (known !== undefined) return known;
    const curve = new Curve();
    this.curves.set(point, curve);
    return curve;
  }

  private async everything(): Promise<void> {
    await this.read();
    if (this.closed || this.detail === null) return;
    house.watch([this.id]);
    await Promise.all([this.past(), this.journal()]);
  }

  /** The twin as the host sees it now. */
  private async read(): Promise<void> {
    try {
      const detail = await readTwin(this.id);
      if (this.closed) return;
      const first = this.detail === null;
      if (this.detail !== null) tell(this.detail, detail);
      this.at = performance.now();
      this.detail = detail;
      this.problem = null;
      this.stranger = null;
      this.readings = readingsOf([...detail.measured, ...detail.estimated], this.readings, this.at);
      const panels = panelsOf(detail);
      const signature = JSON.stringify(panels);
      const changed = signature !== this.signature;
      this.signature = signature;
      if (changed) this.panels = panels;
      if (changed && !first) void this.past();
    } catch (error) {
      if (this.closed) return;
      if (isUnknown(error)) {
        this.stranger = reason(error);
        this.detail = null;
        house.watch([]);
      } else this.problem = reason(error);
    }
  }

  /** History of the window, which ends at the newest sample. */
  private async past(): Promise<void> {
    this.newest = Math.max(this.newest ?? 0, ...[...this.readings.values()].map((r) => r.time ?? 0)) || null;
    const points = pointsOf(this.panels);
    if (this.newest === null || points.length === 0) {
      this.loading = false;
      return;
    }
    const ask = ++this.asked;
    this.loading = true;
    try {
      const past = await readHistory(this.id, points, this.newest - this.window_ms, this.newest, BUCKETS);
      if (this.closed || ask !== this.asked) return;
      for (const series of past.series) this.curve(series.point).load(series);
      this.marks = marksOf(past.marks, this.liveMarks);
    } catch (error) {
      if (!this.closed && ask === this.asked) this.problem = reason(error);
    }
    if (ask === this.asked) this.loading = false;
    this.draw();
  }

  private async journal(): Promise<void> {
    try {
      const page = await readJournal(null, ENTRIES_SHOWN, this.id);
      this.entries = merged(this.entries, page.entries, ENTRIES_SHOWN);
    } catch (error) {
      if (!this.closed) this.problem = reason(error);
    }
  }

  private live(event: ValuesEvent): void {
    if (this.detail === null) return;
    const before = this.detail.state;
    this.at = performance.now();
    this.detail = { ...this.detail, state: event.state, age_ms: event.age_ms, health: event.health };
    this.readings = withValues(this.readings, event, this.at);
    for (const [name, [time, value, quality]] of Object.entries(event.points)) {
      const curve = this.curves.get(name) ?? (this.readings.has(name) ? this.curve(name) : null);
      if (curve?.append(time, value, quality)) this.newest = Math.max(this.newest ?? 0, time);
    }
    if (before !== event.state) {
      house.say(`${this.id}: ${stateText(event.state, event.age_ms)}`);
      this.soon();
    }
    this.draw();
  }

  /** Rollouts whose mark stands already. */
  private readonly markedRollouts = new Set<string>();

  private wrote(entry: Entry): void {
    const plugins = this.detail?.behaviors.map((behavior) => behavior.plugin) ?? [];
    const name = entry.plugin?.split('@')[0];
    const about = entry.twin === this.id || (entry.twin === null && name !== undefined && plugins.includes(name));
    if (!about) return;
    this.entries = merged(this.entries, [entry], ENTRIES_SHOWN);
    // From probation on the new version answers; what follows when it is permanent changes no curve.
    const answers = entry.kind === 'rollout-phase' && entry.message.includes(' is probation:');
    const rollout = /^rollout (\d+) /.exec(entry.message)?.[1];
    if (answers || (entry.kind === 'swap-done' && (rollout === undefined || !this.markedRollouts.has(rollout)))) {
      if (rollout !== undefined) this.markedRollouts.add(rollout);
      const mark = { time_ms: swapTime(entry, this.newest, this.window_ms), kind: 'swap', text: entry.plugin ?? 'swap' };
      this.liveMarks = [...this.liveMarks, mark].slice(-LIVE_MARKS_MAX);
      this.marks = marksOf(this.marks, [mark]);
      house.say(`New version in service: ${mark.text}`);
    }
    this.soon();
    this.draw();
  }

  /** Re-reads the twin in a moment, once for however many events ask for it. */
  private soon(): void {
    this.rereadDue ??= setTimeout(() => {
      this.rereadDue = undefined;
      void this.read();
    }, 300);
  }

  /** Draws at most ten times a second; seldom for long windows and for people who want less motion. */
  private draw(): void {
    this.due ??= setTimeout(() => {
      this.due = undefined;
      if (this.newest !== null) for (const curve of this.curves.values()) curve.trim(this.newest - this.window_ms);
      this.end = this.newest;
      this.revision += 1;
    }, pace(this.window_ms));
  }
}

function pace(window_ms: number): number {
  if (matchMedia('(prefers-reduced-motion: reduce)').matches) return 1_000;
  return window_ms <= 60_000 ? 100 : window_ms <= 600_000 ? 200 : 500;
}

/** Says to screen readers what has changed for the worse or the better: the state, and alerts that are new. */
function tell(before: TwinDetail, now: TwinDetail): void {
  const known = new Set(before.alerts.map((alert) => alert.behavior + alert.code));
  const raised = now.alerts.filter((alert) => !known.has(alert.behavior + alert.code));
  const words = raised.map((alert) => `${alert.priority} alert: ${alert.text}`);
  if (before.state !== now.state) words.unshift(stateText(now.state, now.age_ms));
  if (words.length > 0) house.say(`${now.id}: ${words.join('; ')}`);
}
