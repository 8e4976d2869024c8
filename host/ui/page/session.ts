// Who looks at the page, and what it shows to that one. Hiding is for clarity only: the host asks the same of every
// request, whatever the page shows.

export type Role = 'viewer' | 'operator' | 'engineer' | 'approver' | 'admin';

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

export type Act = 'alarms' | 'plugins' | 'command' | 'approve' | 'interlocks';

/** Roles that allow it, as the host has them. */
const MAY: Record<Act, readonly Role[]> = {
  alarms: ['operator', 'engineer', 'admin'],
  plugins: ['engineer', 'admin'],
  command: ['operator', 'admin'],
  approve: ['approver', 'admin'],
  interlocks: ['operator', 'engineer', 'approver', 'admin'],
};

/** Whether all twins are seen, and with them what is about the whole site. */
export const seesSite = (session: Session | null): boolean => session === null || session.twins.includes('*');

/** Whether the page offers it. At a site without users, whoever has the token may everything. */
export function offers(session: Session | null, act: Act): boolean {
  if (session === null || !session.users) return true;
  if (act === 'plugins' && !seesSite(session)) return false;
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
const SITE_PAGES = ['plugins', 'rollouts'];

export function pagesFor<T extends { page: string }>(pages: readonly T[], session: Session | null): T[] {
  return pages.filter((item) => seesSite(session) || !SITE_PAGES.includes(item.page));
}
