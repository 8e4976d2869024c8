// Which page the address names: `#/`, `#/twin/ID`, `#/thread/ID`, `#/plugins`, `#/rollouts`, `#/rollouts/ID`,
// `#/rollouts/start/PLUGIN/DIGEST`, `#/alarms`, `#/commands`, `#/commands/ID`, `#/targets`, `#/targets/TWIN`, `#/certificates`, `#/journal`.
// Anything else is the fleet.

export type Route =
  | { page: 'fleet' } | { page: 'twin'; id: string } | { page: 'thread'; id: string } | { page: 'plugins' } | { page: 'journal' } | { page: 'alarms' } | { page: 'certificates' }
  | { page: 'rollouts' } | { page: 'rollout'; id: number } | { page: 'start'; plugin: string; digest: string }
  | { page: 'commands' } | { page: 'command'; id: string } | { page: 'targets'; twin: string };

export function routeOf(hash: string): Route {
  const [page = '', rest = ''] = hash.replace(/^#\/?/, '').split(/\/(.*)/s);
  if (page === 'twin' && rest !== '') return { page: 'twin', id: decoded(rest) };
  if (page === 'thread' && rest !== '') return { page: 'thread', id: decoded(rest) };
  if (page === 'rollouts') return rolloutRoute(rest);
  if (page === 'commands') return rest === '' ? { page } : { page: 'command', id: decoded(rest) };
  if (page === 'targets') return { page, twin: decoded(rest) };
  if (page === 'plugins' || page === 'journal' || page === 'alarms' || page === 'certificates') return { page };
  return { page: 'fleet' };
}

function rolloutRoute(rest: string): Route {
  const [what = '', plugin = '', digest = ''] = rest.split('/').map(decoded);
  if (what === 'start' && plugin !== '' && digest !== '') return { page: 'start', plugin, digest };
  return /^[0-9]{1,15}$/.test(what) ? { page: 'rollout', id: Number(what) } : { page: 'rollouts' };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

export const twinHref = (id: string): string => `#/twin/${encodeURIComponent(id)}`;
export const threadHref = (id: string): string => `#/thread/${encodeURIComponent(id)}`;
export const rolloutHref = (id: number): string => `#/rollouts/${id}`;
export const startHref = (plugin: string, digest: string): string =>
  `#/rollouts/start/${encodeURIComponent(plugin)}/${encodeURIComponent(digest)}`;
export const commandHref = (id: string): string => `#/commands/${encodeURIComponent(id)}`;
export const targetsHref = (twin: string): string => `#/targets/${encodeURIComponent(twin)}`;
