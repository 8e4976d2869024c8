// What all pages share: the connection, the site and its alarms at a glance (polled every two seconds), whether commands can
// be sent and what is bypassed, one ticking clock for ages, and the words for screen readers. There is one of it for the life
// of the page.
import type { AlarmCounts } from './alarm-shapes';
import type { Dispatch } from './command-shapes';
import { START, type Connection } from './connection';
import { readAlarms, readCommands, readSite, readTargets, reason, wantsToken } from './fetch';
import { door } from './session.svelte';
import type { Site } from './shapes';
import { Stream, type Source } from './stream';
import { bypassed, bypassKey, type Bypassed } from './target';

const POLL_MS = 2_000;
const TICK_MS = 500;
/** Polls without a refused sample after which refusals count as over. */
const QUIET_POLLS = 15;
/** Polls between two reads of all targets, which is a long answer; what is journaled of interlocks asks at once. */
const TARGET_POLLS = 5;
/** A page that nobody sees gives its stream back after this long: browsers allow six to one host. */
const HIDDEN_MS_MAX = 60_000;

class House {
  connection = $state.raw<Connection>(START);
  site = $state.raw<Site | null>(null);
  /** Alarms by priority and state, for the header. */
  alarms = $state.raw<AlarmCounts | null>(null);
  /** Whether the host may write to the field, and what waits for people. */
  dispatch = $state.raw<Dispatch | null>(null);
  /** Rules that are bypassed anywhere: they stand on every screen. */
  bypasses = $state.raw<Bypassed[]>([]);
  /** Why the two are not known; null when they are. */
  guardProblem = $state<string | null>(null);
  /** Milliseconds of the monotonic clock, twice a second; stands still while the connection is lost. */
  tick = $state(performance.now());
  /** Wall clock in ms, which goes on whatever happens. */
  wall = $state(Date.now());
  /** How far the host's clock is ahead of this browser's, in ms. */
  skew = $state(0);
  /** Samples have been refused within the last polls. */
  refusing = $state(false);
  /** Spoken politely. */
  said = $state('');

  readonly stream = new Stream(
    {
      open: (url): Source => new EventSource(url),
      now: () => Date.now(),
      after: (ms, action) => {
        const timer = setTimeout(action, ms);
        return () => clearTimeout(timer);
      },
    },
    (connection) => { this.connection = connection; },
  );

  private watched: string[] = [];
  private quietPolls = QUIET_POLLS;
  private polls = 0;
  private guarding = false;
  private asleep = false;
  private sleep: ReturnType<typeof setTimeout> | undefined;

  start(): void {
    this.watch([]);
    void this.poll();
    setInterval(() => void this.poll(), POLL_MS);
    this.stream.listen({
      journal: (entry) => { if (entry.kind.startsWith('interlock-')) this.polls = 0; },
      resync: () => { this.polls = 0; },
    });
    setInterval(() => this.turn(), TICK_MS);
    document.addEventListener('visibilitychange', () => this.visibility());
    // A page that the browser keeps for the way back would keep its stream, too.
    addEventListener('pagehide', () => this.stream.stop());
    addEventListener('pageshow', (event) => { if (event.persisted && !this.asleep) this.stream.watch(this.watched); });
  }

  /** Values of these twins are wanted from now on. */
  watch(twins: string[]): void {
    this.watched = twins;
    if (!this.asleep) this.stream.watch(twins);
  }

  say(text: string): void {
    this.said = text;
  }

  /** The host's wall clock in ms, as far as it was heard. */
  get hostNow(): number {
    return this.wall + this.skew;
  }

  get frozen(): boolean {
    return this.connection.phase === 'lost';
  }

  private turn(): void {
    this.wall = Date.now();
    if (!this.frozen) this.tick = performance.now();
  }

  private async poll(): Promise<void> {
    if (this.asleep) return;
    try {
      const [site, alarms] = await Promise.all([readSite(), readAlarms(1)]);
      const more = this.site !== null && site.inputs.refused > this.site.inputs.refused;
      this.quietPolls = more ? 0 : this.quietPolls + 1;
      this.refusing = this.quietPolls < QUIET_POLLS;
      this.site = site;
      this.alarms = alarms.counts;
      this.skew = Date.parse(site.now) - Date.now();
      this.stream.happened({ kind: 'polled', ok: true, now: Date.now() });
      await this.guards();
    } catch (error) {
      if (wantsToken(error)) door.ended();
      this.stream.happened({ kind: 'polled', ok: false, now: Date.now() });
    }
  }

  /** Apart from the rest: a host that cannot say it is not a lost one, but it has to be said. */
  private async guards(): Promise<void> {
    if (this.guarding) return;
    this.guarding = true;
    const wantsTargets = this.polls % TARGET_POLLS === 0;
    this.polls += 1;
    try {
      const [{ dispatch }, targets] = await Promise.all([readCommands({ limit: 1 }), wantsTargets ? readTargets('') : null]);
      this.dispatch = dispatch;
      if (targets !== null) this.take(bypassed(targets.targets, this.hostNow));
      this.guardProblem = null;
    } catch (error) {
      this.polls = 0;
      this.guardProblem = reason(error);
    }
    this.guarding = false;
  }

  private take(now: Bypassed[]): void {
    const known = new Set(this.bypasses.map(bypassKey));
    const more = now.filter((one) => !known.has(bypassKey(one)));
    if (more.length > 0) this.say(`Bypassed: ${more.map((one) => `${one.rule} of ${one.target}, ${one.twin}`).join('; ')}`);
    this.bypasses = now;
  }

  private visibility(): void {
    clearTimeout(this.sleep);
    if (document.hidden) {
      this.sleep = setTimeout(() => {
        this.asleep = true;
        this.stream.stop();
      }, HIDDEN_MS_MAX);
    } else if (this.asleep) {
      this.asleep = false;
      this.stream.watch(this.watched);
      void this.poll();
    }
  }
}

export const house = new House();
