// What the page says of certificates, and which orders make sense. Decides nothing: the host does.
import type { Certificate, Certificates, ClientCertificate, ServerCertificate, Side, Term } from './certificate-shapes';
import { count } from './format';

export type CertificateOrder = 'trust' | 'reject' | 'remove';

export const ORDER_NAMES: Record<CertificateOrder, string> = { trust: 'Trust', reject: 'Reject', remove: 'Forget' };

/** Orders that change something about it. */
export const ordersOf = (one: ClientCertificate): CertificateOrder[] => (one.standing === 'trusted' ? ['reject'] : ['trust', 'remove']);

/** In groups of four, as people compare them. */
export const grouped = (digits: string): string => digits.toLowerCase().replace(/(.{4})(?=.)/g, '$1 ');

/** Why it is rejected; null when it is trusted. */
export function rejectionText(one: Pick<ClientCertificate, 'rejection'> & { before?: ServerCertificate['before'] }): string | null {
  switch (one.rejection) {
    case null: return null;
    case 'unknown': return 'nobody has said yet that it is trusted';
    case 'taken-back': return 'it was trusted, and somebody has taken that back';
    case 'changed': return `the server had another one before${(one.before ?? null) === null ? '' : `: ${grouped(one.before ?? '')}`}`;
  }
}

/** What the order does, in words. */
export function orderConsequence(order: CertificateOrder, one: Pick<ClientCertificate, 'rejection'>, side: Side = 'server'): string {
  if (side === 'client') return CLIENT_CONSEQUENCES[order];
  if (order === 'remove') return 'It is forgotten. A server that still has it shows it again, as an unknown one.';
  if (order === 'reject') return 'Its servers are not spoken to any more: what is connected is hung up on within seconds, and no order leaves for them.';
  const renewed = one.rejection === 'changed' ? ' The server had another one before: trust this one only if you know who has renewed it.' : '';
  return `Whoever has the key of this certificate is spoken to as the server, at most ten seconds later. Compare it with what the server itself shows, not with what came over this network.${renewed}`;
}

const CLIENT_CONSEQUENCES: Record<CertificateOrder, string> = {
  trust: 'Whoever has the key of this certificate is let in as a client from its next attempt on, and reads as the user whose password it gives. As a server it is not trusted by that. Compare it with what the client itself shows, not with what came over this network.',
  reject: 'No client with it is let in again. A session that stands goes on until it ends: to end it, give its user another password or remove the user.',
  remove: 'It is forgotten. A client that still has it is refused when it comes again, and shown here as an unknown one.',
};

const TERMS: Record<Term, string> = { valid: 'valid', 'not-yet': 'not yet valid', expiring: 'ends soon', expired: 'has ended' };

/** `valid, 3650 days left` */
export function termText(one: Pick<Certificate, 'term' | 'days_left'>): string {
  const { term, days_left } = one;
  if (term === 'expired') return `${TERMS.expired}, ${days(-days_left)} ago`;
  return `${TERMS[term]}, ${days(days_left)} left`;
}

const days = (n: number): string => (n === 1 ? '1 day' : `${n} days`);

/** `RSA 2048` */
export const keyText = (one: Pick<Certificate, 'key_kind' | 'key_bits'>): string => (one.key_bits === null ? one.key_kind : `${one.key_kind} ${one.key_bits}`);

/** Whose it is, without the rest of a long name. */
export const nameOf = (one: Pick<Certificate, 'subject'>): string => /(?:^|[,+])\s*CN=([^,+]+)/.exec(one.subject)?.[1] ?? (one.subject === '' ? '(no name)' : one.subject);

/** Those in use whose end is near or over. Rejected ones are not in use, and of lists of authorities the host does not warn. */
export function ending(all: Certificates): { name: string; what: string }[] {
  const used = [
    ...all.own.map((one) => ({ one, name: 'the own one' })),
    ...all.servers.filter((one) => one.standing === 'trusted').map((one) => ({ one, name: nameOf(one) })),
    ...all.clients.filter((one) => one.standing === 'trusted').map((one) => ({ one, name: `the client ${nameOf(one)}` })),
    ...all.tls.filter((file) => !(file.key.endsWith('.ca') && file.total > 1)).flatMap((file) => file.certificates.slice(0, 1).map((one) => ({ one, name: file.key }))),
  ];
  return used.filter(({ one }) => one.term === 'expiring' || one.term === 'expired').map(({ one, name }) => ({ name, what: termText(one) }));
}

const waits = (one: Pick<ClientCertificate, 'rejection'>): boolean => one.rejection === 'unknown' || one.rejection === 'changed';

/** How many wait for a person, in words. */
export function waitingText(all: Certificates): string {
  const sides = ([['servers', all.servers], ['clients', all.clients]] as const).flatMap(([name, list]) => {
    const n = list.filter(waits).length;
    return n === 0 ? [] : [`${count(n)} of OPC UA ${name}`];
  });
  return sides.length === 0 ? 'no server waits to be trusted, and no client' : `${sides.join(', ')} to look at`;
}
