// The session of this page: asked for once at the start, made by a login, ended by a logout. The cookie that carries it
// cannot be read here. When the host says that it has ended, the page begins anew with the login.
import { logIn, logOut, readSession, Refused } from './fetch';
import type { Session } from './session';

const AGAIN_MS = 2_000;

class Door {
  /** Who looks; null until the host has answered. */
  who = $state.raw<Session | null>(null);
  /** Nobody: the page shows the login and nothing else. */
  out = $state(false);

  /** Asks who looks; calls `enter` once it is known that somebody may. */
  async open(enter: () => void): Promise<void> {
    try {
      this.who = await readSession();
      this.out = false;
      enter();
    } catch (error) {
      const status = error instanceof Refused ? error.status : null;
      if (status === 401) this.out = true;
      else if (status === null || status >= 500) setTimeout(() => void this.open(enter), AGAIN_MS);
      // A host without sessions is an open one.
      else enter();
    }
  }

  /** Throws what the host says when it refuses. */
  async login(name: string, password: string): Promise<void> {
    await logIn(name, password);
    location.reload();
  }

  async logout(): Promise<void> {
    try {
      await logOut();
    } finally {
      location.reload();
    }
  }

  /** A request was refused because nobody is known any more: what is on the page is not for whoever sits there now. */
  ended(): void {
    if (this.who?.users === true || this.who?.kind === 'visitor') location.reload();
  }
}

export const door = new Door();
