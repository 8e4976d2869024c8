// The mock host's certificates: its own, four of servers (unknown, changed, trusted, taken back), three of clients, and files of TLS.
import { createHash } from 'node:crypto';
import { refused } from './targets.mjs';

const iso = (ms) => new Date(ms).toISOString();
const DAY_MS = 86_400_000;

function certificate(now, subject, days, more = {}) {
  const hash = (kind) => createHash(kind).update(subject).digest('hex');
  const term = days < 0 ? 'expired' : days <= 30 ? 'expiring' : 'valid';
  return {
    thumbprint: hash('sha1'), sha256: hash('sha256'), subject, issuer: subject, serial: '0A:1B:2C:3D', not_before: iso(now - 200 * DAY_MS), not_after: iso(now + days * DAY_MS),
    days_left: days, term, application_uri: 'urn:maker:plc', dns_names: ['plc.example'], addresses: ['10.0.0.7'], key_kind: 'RSA', key_bits: 2_048, ...more,
  };
}

export class Certificates {
  constructor(now, write) {
    this.write = write;
    const seen = (source) => [{ source, endpoint: `opc.tcp://${source}.example:4840`, first: iso(now - 3 * DAY_MS), last: iso(now - 20_000) }];
    const server = (subject, days, rejection, more = {}) => ({ ...certificate(now, subject, days), standing: rejection === null ? 'trusted' : 'rejected', rejection, before: null, seen: seen(subject.split('CN=')[1]), ...more });
    this.own = [certificate(now, 'O=Geminus,CN=Geminus', 3_649, { application_uri: 'urn:geminus:host', dns_names: ['plant-pc'] })];
    this.servers = [
      server('O=Maker,CN=plc-north', 400, 'unknown'), server('O=Maker,CN=plc-south', 400, 'changed', { before: 'f0'.repeat(20) }),
      server('O=Maker,CN=plc-old', 400, 'taken-back', { seen: [] }), server('O=Maker,CN=plc-east', 12, null),
    ];
    const client = (name, days, rejection) => ({
      ...certificate(now, `O=Maker,CN=${name}`, days, { application_uri: `urn:maker:${name}`, dns_names: [], addresses: [] }), standing: rejection === null ? 'trusted' : 'rejected', rejection,
    });
    this.clients = [client('historian', 400, 'unknown'), client('scada', 200, null), client('laptop', 300, 'taken-back')];
    const tls = (subject, days) => certificate(now, subject, days, { thumbprint: null, application_uri: null, key_kind: 'EC', key_bits: 256 });
    this.tls = [
      { key: 'http.tls.certificate', file: 'tls/certificate.pem', certificates: [tls('CN=pump-house.example', 61)], total: 1, problem: null },
      { key: 'source.plant.tls.ca', file: 'ca.pem', certificates: [], total: 0, problem: 'ca.pem cannot be read: No such file or directory (os error 2)' },
    ];
  }

  view() {
    const rejectedFirst = (list) => [...list].sort((a, b) => Number(a.standing === 'trusted') - Number(b.standing === 'trusted'));
    return { own: this.own, servers: rejectedFirst(this.servers), clients: rejectedFirst(this.clients), tls: this.tls, expiring_days: 30 };
  }

  /** `side` is `server` or `client`: what is ordered of one says nothing of the other. */
  order(side, digest, order, by) {
    const list = `${side}s`;
    const one = this[list].find((known) => known.sha256 === digest || known.thumbprint === digest);
    if (one === undefined) return refused(404, `no ${side} has shown a certificate ${digest}`);
    if (order === 'remove') this[list] = this[list].filter((known) => known !== one);
    else Object.assign(one, order === 'trust' ? { standing: 'trusted', rejection: null, ...(side === 'server' && { before: null }) } : { standing: 'rejected', rejection: 'taken-back' });
    this.write(`certificate-${order === 'remove' ? 'removed' : `${order}ed`}`, 'info', null, null, `${by} ${order}s the certificate ${one.thumbprint} of the OPC UA ${side}`);
    return { status: order === 'remove' ? 204 : 200, body: one };
  }
}
