// Which page the address names: `#/`, `#/twin/ID`, `#/plugins`, `#/journal`. Anything else is the fleet.

export type Route = { page: 'fleet' } | { page: 'twin'; id: string } | { page: 'plugins' } | { page: 'journal' };

export function routeOf(hash: string): Route {
  const [page = '', rest = ''] = hash.replace(/^#\/?/, '').split(/\/(.*)/s);
  if (page === 'twin' && rest !== '') return { page: 'twin', id: decoded(rest) };
  if (page === 'plugins' || page === 'journal') return { page };
  return { page: 'fleet' };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

export const twinHref = (id: string): string => `#/twin/${encodeURIComponent(id)}`;
