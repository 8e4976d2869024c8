// The token that whatever writes must bring. It lives in this tab's memory only: not in the address, not in the
// browser's storage, gone with a reload. The host keeps it in the file `token` of its data folder. At a site with users
// there is none: the cookie of the session says who it is.
import { isKnown } from './session';
import { door } from './session.svelte';

class Access {
  token = $state('');

  get held(): boolean {
    return this.token !== '' || isKnown(door.who);
  }

  take(text: string): void {
    this.token = text.trim();
  }

  forget(): void {
    this.token = '';
  }
}

export const access = new Access();
