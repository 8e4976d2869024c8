// Who looks at the page, and what it shows to that one. Hiding is for clarity only: the host asks the same of every
// request, whatever the page shows.

export type Role = 'viewer' | 'operator' | 'engineer' | 'approver' | 'recorder' | 'admin';

/** The answer to GET /api/v1/session. */
export interface Session {
  name: string;
  kind: 'person' | 'program' | 'local' | 'visitor';
  owner: string | null;
  roles: Role[];
  /** Patterns of ids of twins. */
  twins: string[];
  /** Whether the site has users; without, the token of the data folder writes. */
  users: boolean;
}

/** The answer to GET /api/v1/session/ways. */
export interface Ways {
  /** Whether with name and password. */
  password: boolean;
  /** What people call the issuer over which they log in; null where there is none. */
  oidc: string | null;
}

/** Where a login over the issuer begins: the host sends the browser on. */
export const OIDC_LOGIN = '/api/v1/session/oidc';

export type Act = 'alarms' | 'plugins' | 'command' | 'approve' | 'interlocks' | 'certificates';

/** Roles that allow it, as the host has them. */
const MAY: Record<Act, readonly Role[]> = {
  alarms: ['operator', 'engineer', 'admin'],
  plugins: ['engineer', 'admin'],
  command: ['operator', 'admin'],
  approve: ['approver', 'admin'],
  interlocks: ['operator', 'engineer', 'approver', 'admin'],
  certificates: ['engineer', 'admin'],
};

/** Whether all twins are seen, and with them what is about the whole site. */
export const seesSite = (session: Session | null): boolean => session === null || session.twins.includes('*');

/** Whether the page offers it. At a site without users, whoever has the token may everything. */
export function offers(session: Session | null, act: Act): boolean {
  if (session === null || !session.users) return true;
  if ((act === 'plugins' || act === 'certificates') && !seesSite(session)) return false;
  return session.roles.some((role) => MAY[act].includes(role));
}

/** Whether requests of the page are known by their cookie, so that no token is asked for. */
export const isKnown = (session: Session | null): boolean => session !== null && session.users;

/** Of these roles, those in which somebody may act: all of them where nobody is known, and for an admin. */
export const heldOf = <R extends Role>(session: Session | null, roles: readonly R[]): R[] =>
  roles.filter((role) => !isKnown(session) || session?.roles.includes('admin') || session?.roles.includes(role));

/** `ada (operator, approver)` */
export const title = (session: Session): string => `${session.name} (${session.roles.join(', ')})`;

/** Pages that are about the whole site. */
const SITE_PAGES = ['plugins', 'rollouts', 'certificates'];

export function pagesFor<T extends { page: string }>(pages: readonly T[], session: Session | null): T[] {
  return pages.filter((item) => seesSite(session) || !SITE_PAGES.includes(item.page));
}

/** Shortest password that the host takes. */
export const PASSWORD_CHARS_MIN = 12;

/** What is known against a new password before it is sent; null when nothing is, or when nothing was typed yet. */
export function passwordObjection(name: string, current: string, next: string, again: string): string | null {
  if (next === '' || again === '') return null;
  if (next !== again) return 'The new password is not the same twice.';
  if ([...next].length < PASSWORD_CHARS_MIN) return `A password has at least ${PASSWORD_CHARS_MIN} characters.`;
  if (next.toLowerCase() === name.toLowerCase()) return 'The password is the name.';
  return next === current ? 'The new password is the present one.' : null;
}
