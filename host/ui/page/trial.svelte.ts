// One rollout as its page shows it, kept current: read again every second while it is under way, and when the event
// stream tells of it. `close` ends its work.
import { isUnknown, readRollout, reason } from './fetch';
import { house } from './house.svelte';
import { isOver, phaseText } from './rollout';
import type { Rollout } from './rollout-shapes';

const REREAD_MS = 1_000;
/** Events that come together ask for one read. */
const SOON_MS = 150;

export class Trial {
  rollout = $state.raw<Rollout | null>(null);
  problem = $state<string | null>(null);
  /** There is no rollout of this number, in the host's words. */
  stranger = $state<string | null>(null);
  private readonly ends: (() => void)[] = [];
  private due: ReturnType<typeof setTimeout> | undefined;
  private asked = 0;
  private closed = false;

  constructor(readonly id: number) {
    house.watch([]);
    this.ends.push(house.stream.listen({
      rollout: (event) => { if (event.id === id) this.soon(); },
      resync: () => void this.read(),
    }));
    const timer = setInterval(() => {
      const over = this.stranger !== null || (this.rollout !== null && isOver(this.rollout.phase));
      if (!over && !house.frozen && !document.hidden) void this.read();
    }, REREAD_MS);
    this.ends.push(() => clearInterval(timer));
    void this.read();
  }

  close(): void {
    this.closed = true;
    clearTimeout(this.due);
    for (const end of this.ends) end();
  }

  /** The rollout as an order left it; its evidence comes with the next read where the answer has none. */
  take(now: Rollout): void {
    this.asked += 1;
    this.put({ ...now, evidence: now.evidence ?? this.rollout?.evidence ?? null });
    this.soon();
  }

  private put(now: Rollout): void {
    const before = this.rollout;
    if (before !== null && before.phase !== now.phase) house.say(`Rollout ${now.id}: ${phaseText(now.phase)}`);
    if (before !== null && before.verdict?.state !== now.verdict?.state && now.verdict) house.say(`Rollout ${now.id}: verdict ${now.verdict.state}`);
    this.rollout = now;
    this.problem = null;
    this.stranger = null;
  }

  private soon(): void {
    this.due ??= setTimeout(() => {
      this.due = undefined;
      void this.read();
    }, SOON_MS);
  }

  private async read(): Promise<void> {
    const ask = ++this.asked;
    try {
      const now = await readRollout(this.id);
      if (!this.closed && ask === this.asked) this.put(now);
    } catch (error) {
      if (this.closed || ask !== this.asked) return;
      if (isUnknown(error)) this.stranger = reason(error);
      else this.problem = reason(error);
    }
  }
}
