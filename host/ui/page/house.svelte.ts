// What all pages share: the connection, the site and its alarms at a glance (polled every two seconds), one ticking clock for
// ages, and the words for screen readers. There is one of it for the life of the page.
import type { AlarmCounts } from './alarm-shapes';
import { START, type Connection } from './connection';
import { readAlarms, readSite, wantsToken } from './fetch';
import { door } from './session.svelte';
import type { Site } from './shapes';
import { Stream, type Source } from './stream';

const POLL_MS = 2_000;
const TICK_MS = 500;
/** Polls without a refused sample after which refusals count as over. */
const QUIET_POLLS = 15;
/** A page that nobody sees gives its stream back after this long: browsers allow six to one host. */
const HIDDEN_MS_MAX = 60_000;

class House {
  connection = $state.raw<Connection>(START);
  site = $state.raw<Site | null>(null);
  /** Alarms by priority and state, for the header. */
  alarms = $state.raw<AlarmCounts | null>(null);
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
  private asleep = false;
  private sleep: ReturnType<typeof setTimeout> | undefined;

  start(): void {
    this.watch([]);
    void this.poll();
    setInterval(() => void this.poll(), POLL_MS);
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
      const more = (site.inputs?.refused ?? 0) > (this.site?.inputs?.refused ?? Infinity);
      this.quietPolls = more ? 0 : this.quietPolls + 1;
      this.refusing = this.quietPolls < QUIET_POLLS;
      this.site = site;
      this.alarms = alarms.counts;
      this.skew = Date.parse(site.now) - Date.now();
      this.stream.happened({ kind: 'polled', ok: true, now: Date.now() });
    } catch (error) {
      if (wantsToken(error)) door.ended();
      this.stream.happened({ kind: 'polled', ok: false, now: Date.now() });
    }
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
