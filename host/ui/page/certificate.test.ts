// What the page says of certificates.
import { describe, expect, it } from 'vitest';
import { ending, grouped, keyText, nameOf, orderConsequence, ordersOf, rejectionText, termText, waitingText } from './certificate';
import type { Certificate, Certificates, ClientCertificate, ServerCertificate } from './certificate-shapes';

const certificate = (more: Partial<Certificate> = {}): Certificate => ({
  thumbprint: '00112233445566778899aabbccddeeff00112233', sha256: 'ab'.repeat(32), subject: 'O=Maker,CN=PLC 7', issuer: 'CN=Maker', serial: '0A',
  not_before: '2026-01-01T00:00:00Z', not_after: '2027-01-01T00:00:00Z', days_left: 300, term: 'valid', application_uri: null, dns_names: [], addresses: [],
  key_kind: 'RSA', key_bits: 2048, ...more,
});
const server = (more: Partial<ServerCertificate> = {}): ServerCertificate => ({ ...certificate(), standing: 'rejected', rejection: 'unknown', before: null, seen: [], ...more });
const client = (more: Partial<ClientCertificate> = {}): ClientCertificate => ({ ...certificate({ subject: 'CN=Historian' }), standing: 'rejected', rejection: 'unknown', ...more });

describe('a thumbprint', () => {
  it('is shown whole, in groups of four', () => {
    expect(grouped('00112233445566778899AABBCCDDEEFF00112233')).toBe('0011 2233 4455 6677 8899 aabb ccdd eeff 0011 2233');
    expect(grouped('')).toBe('');
  });
});

describe('orders', () => {
  it('are those that change something', () => {
    expect(ordersOf(server())).toEqual(['trust', 'remove']);
    expect(ordersOf(server({ standing: 'trusted', rejection: null }))).toEqual(['reject']);
  });

  it('say what they do, and warn of a server that has changed', () => {
    expect(orderConsequence('trust', server())).not.toContain('another one before');
    expect(orderConsequence('trust', server({ rejection: 'changed' }))).toContain('another one before');
    expect(orderConsequence('reject', server())).toContain('hung up on within seconds');
    expect(orderConsequence('remove', server())).toContain('shows it again');
  });

  it('of a client say that it is let in and not spoken to, and what rejecting does not do', () => {
    expect(ordersOf(client())).toEqual(['trust', 'remove']);
    expect(orderConsequence('trust', client(), 'client')).toContain('As a server it is not trusted by that');
    expect(orderConsequence('reject', client(), 'client')).toContain('A session that stands goes on');
    expect(orderConsequence('reject', client(), 'client')).not.toContain('hung up');
    expect(orderConsequence('remove', client(), 'client')).toContain('refused when it comes again');
  });
});

describe('words', () => {
  it.each([
    [server({ standing: 'trusted', rejection: null }), null], [server(), 'nobody has said yet that it is trusted'],
    [server({ rejection: 'changed', before: 'aabbccdd' }), 'the server had another one before: aabb ccdd'],
    [server({ rejection: 'changed' }), 'the server had another one before'],
    [client(), 'nobody has said yet that it is trusted'], [client({ standing: 'trusted', rejection: null }), null],
    [client({ rejection: 'taken-back' }), 'it was trusted, and somebody has taken that back'],
    [server({ rejection: 'taken-back' }), 'it was trusted, and somebody has taken that back'],
  ])('say why it is rejected: %#', (one, expected) => {
    expect(rejectionText(one)).toBe(expected);
  });

  it.each([
    ['valid', 300, 'valid, 300 days left'], ['expiring', 1, 'ends soon, 1 day left'], ['expired', -3, 'has ended, 3 days ago'], ['not-yet', 400, 'not yet valid, 400 days left'],
  ] as const)('of %s with %d days', (term, days_left, expected) => {
    expect(termText({ term, days_left })).toBe(expected);
  });

  it('name a key and its owner', () => {
    expect([keyText(certificate()), keyText(certificate({ key_kind: '1.2.3', key_bits: null }))]).toEqual(['RSA 2048', '1.2.3']);
    expect([nameOf(certificate()), nameOf(certificate({ subject: 'O=Maker' })), nameOf(certificate({ subject: '' }))]).toEqual(['PLC 7', 'O=Maker', '(no name)']);
  });
});

describe('what is told at the top', () => {
  const file = (key: string, certificates: Certificate[], total = certificates.length) => ({ key, file: 'a.pem', certificates, total, problem: null });
  const expired = { term: 'expired', days_left: -2 } as const;
  const all: Certificates = {
    own: [certificate({ term: 'expiring', days_left: 3 })],
    servers: [server(expired), server({ rejection: 'changed' }), server({ ...expired, standing: 'trusted', rejection: null }), server({ rejection: 'taken-back' })],
    clients: [client(expired), client({ ...expired, standing: 'trusted', rejection: null }), client({ rejection: 'taken-back' })],
    tls: [file('http.tls.certificate', [certificate(), certificate(expired)]), file('source.a.tls.ca', [certificate(expired)]), file('source.b.tls.ca', [certificate(expired)], 3)],
    expiring_days: 30,
  };

  it('is what is used and ends', () => {
    expect(ending(all)).toEqual([
      { name: 'the own one', what: 'ends soon, 3 days left' }, { name: 'PLC 7', what: 'has ended, 2 days ago' }, { name: 'the client Historian', what: 'has ended, 2 days ago' }, { name: 'source.a.tls.ca', what: 'has ended, 2 days ago' },
    ]);
  });

  it('is how many wait for a person', () => {
    expect(waitingText(all)).toBe('2 of OPC UA servers, 1 of OPC UA clients to look at');
    expect(waitingText({ ...all, clients: [] })).toBe('2 of OPC UA servers to look at');
    expect(waitingText({ ...all, servers: [] })).toBe('1 of OPC UA clients to look at');
    expect(waitingText({ ...all, servers: [], clients: [client({ rejection: 'taken-back' })] })).toBe('no server waits to be trusted, and no client');
  });
});
