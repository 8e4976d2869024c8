// The JSON of /api/v1/certificates as the page reads it.

export type Term = 'not-yet' | 'valid' | 'expiring' | 'expired';
export type Standing = 'trusted' | 'rejected';
export type Rejection = 'unknown' | 'changed' | 'taken-back';

export interface Certificate {
  /** SHA-1, as OPC UA names certificates; null for one of TLS. */
  thumbprint: string | null;
  sha256: string;
  subject: string;
  issuer: string;
  serial: string;
  not_before: string;
  not_after: string;
  days_left: number;
  term: Term;
  application_uri: string | null;
  dns_names: string[];
  addresses: string[];
  key_kind: string;
  key_bits: number | null;
}

export interface Seen { source: string; endpoint: string; first: string; last: string }

/** Whose a certificate is: a server's that the host connects to, or a client's that connects to the host. */
export type Side = 'server' | 'client';

export interface ClientCertificate extends Certificate {
  standing: Standing;
  /** A client's has never changed. */
  rejection: Rejection | null;
}

export interface ServerCertificate extends ClientCertificate {
  /** Thumbprint of the one before; null unless it has changed. */
  before: string | null;
  seen: Seen[];
}

export interface TlsFile { key: string; file: string; certificates: Certificate[]; total: number; problem: string | null }

export interface Certificates { own: Certificate[]; servers: ServerCertificate[]; clients: ClientCertificate[]; tls: TlsFile[]; expiring_days: number }
