// What a page reads again and again: its last answer, and what went wrong with the last attempt. Events that come together
// ask for one read; an answer that was overtaken by a newer one is dropped; nothing is read while nobody looks.
import { untrack } from 'svelte';
import { reason } from './fetch';
import { house } from './house.svelte';
import type { Listener } from './stream';

const SOON_MS = 300;

export class Kept<T> {
  answer = $state.raw<T | null>(null);
  problem = $state<string | null>(null);
  /** What the last attempt threw. */
  error: unknown = null;
  private asked = 0;
  private taken = 0;
  private due: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly ask: () => Promise<T>, private readonly refresh_ms: number) {}

  read = async (): Promise<void> => {
    const own = ++this.asked;
    try {
      this.settle(own, null, await this.ask());
    } catch (error) {
      this.settle(own, error);
    }
  };

  soon = (): void => {
    this.due ??= setTimeout(() => {
      this.due = undefined;
      void this.read();
    }, SOON_MS);
  };

  /** Reads now and then, and on what `listener` makes of events; gives the way to stop, as an effect wants it. */
  keep(listener: Listener = {}): () => void {
    // What is read says by itself what it is about: the effect is not to begin anew with each of it.
    untrack(() => void this.read());
    const timer = setInterval(() => { if (!house.frozen && !document.hidden) void this.read(); }, this.refresh_ms);
    const unlisten = house.stream.listen({ resync: this.soon, ...listener });
    return () => {
      clearInterval(timer);
      clearTimeout(this.due);
      this.due = undefined;
      unlisten();
    };
  }

  private settle(own: number, error: unknown, answer?: T): void {
    if (own < this.taken) return;
    this.taken = own;
    this.error = error;
    this.problem = error === null ? null : reason(error);
    if (answer !== undefined) this.answer = answer;
  }
}
