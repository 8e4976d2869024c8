// What every screen has to know of the way to the field: whether commands can be sent, what waits for people, and what is
// bypassed. Read every two seconds, the bypasses more seldom; that it could not be read is known, too. Apart from the house:
// a host that cannot say it is not a lost one.
import type { Dispatch } from './command-shapes';
import { readCommands, readTargets, reason } from './fetch';
import { house } from './house.svelte';
import { bypassed, bypassKey, type Bypassed } from './target';

const POLL_MS = 2_000;
/** Polls between two reads of all targets, which is a long answer; what is journaled of interlocks asks with the next one. */
const TARGET_POLLS = 5;

class Guards {
  dispatch = $state.raw<Dispatch | null>(null);
  /** Rules that are bypassed anywhere. */
  bypasses = $state.raw<Bypassed[]>([]);
  /** Why the two are not known; null when they are. */
  problem = $state<string | null>(null);
  private polls = 0;
  private reading = false;

  /** Begins to read; gives the way to stop, as an effect wants it. */
  keep(): () => void {
    void this.read();
    const timer = setInterval(() => { if (!house.frozen && !document.hidden) void this.read(); }, POLL_MS);
    const unlisten = house.stream.listen({
      journal: (entry) => { if (entry.kind.startsWith('interlock-')) this.polls = 0; },
      resync: () => { this.polls = 0; },
    });
    return () => {
      clearInterval(timer);
      unlisten();
    };
  }

  private async read(): Promise<void> {
    if (this.reading) return;
    this.reading = true;
    const wantsTargets = this.polls % TARGET_POLLS === 0;
    this.polls += 1;
    try {
      const [{ dispatch }, targets] = await Promise.all([readCommands({ limit: 1 }), wantsTargets ? readTargets('') : null]);
      this.dispatch = dispatch;
      if (targets !== null) this.take(bypassed(targets.targets, house.hostNow));
      this.problem = null;
    } catch (error) {
      this.polls = 0;
      this.problem = reason(error);
    }
    this.reading = false;
  }

  private take(now: Bypassed[]): void {
    const known = new Set(this.bypasses.map(bypassKey));
    const more = now.filter((one) => !known.has(bypassKey(one)));
    if (more.length > 0) house.say(`Bypassed: ${more.map((one) => `${one.rule} of ${one.target}, ${one.twin}`).join('; ')}`);
    this.bypasses = now;
  }
}

export const guards = new Guards();
