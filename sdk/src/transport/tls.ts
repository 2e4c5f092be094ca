import { createPrivateKey, X509Certificate } from 'node:crypto';
import { type ChannelCredentials, type ChannelOptions, credentials } from '@grpc/grpc-js';
import { invalidOption } from '../errors.js';
import type { TlsOptions } from './security.js';

/** What a channel needs to be encrypted, or not. */
export interface ChannelSecurity {
  readonly credentials: ChannelCredentials;
  readonly options: ChannelOptions;
}

/**
 * Checks the options of TLS.
 *
 * @param tls `false` or `undefined`: connections are not encrypted.
 * @throws {InvalidError} its message shows nothing of what it was given.
 */
export function channelSecurity(tls: boolean | TlsOptions | undefined): ChannelSecurity {
  if (tls === undefined || tls === false) return { credentials: credentials.createInsecure(), options: {} };
  const { ca, cert, key, serverName } = tls === true ? {} : tls;
  if ((cert === undefined) !== (key === undefined)) {
    if (cert === undefined) throw invalidOption('tls.cert', 'must be given together with tls.key', 'none');
    throw invalidOption('tls.key', 'must be given together with tls.cert', 'none');
  }
  const secured = credentials.createSsl(
    checkedCertificate('tls.ca', ca),
    checkedKey(cert, key),
    checkedCertificate('tls.cert', cert),
  );
  // A name that an operator gave stands for the host in the handshake and in the requests.
  const names =
    serverName === undefined ? {} : { 'grpc.ssl_target_name_override': serverName, 'grpc.default_authority': serverName };
  return { credentials: secured, options: names };
}

function checkedCertificate(field: string, pem: string | Uint8Array | undefined): Buffer | null {
  if (pem === undefined) return null;
  if (parsed(() => new X509Certificate(pem)) === undefined) throw hidden(field, 'must be a certificate in PEM');
  return Buffer.from(pem);
}

function checkedKey(cert: string | Uint8Array | undefined, pem: string | Uint8Array | undefined): Buffer | null {
  if (cert === undefined || pem === undefined) return null;
  const bytes = Buffer.from(pem);
  const key = parsed(() => createPrivateKey(bytes));
  if (key === undefined) throw hidden('tls.key', 'must be a private key in PEM');
  if (parsed(() => new X509Certificate(cert))?.checkPrivateKey(key) === false) {
    throw hidden('tls.key', 'must be the key of the certificate in tls.cert');
  }
  return bytes;
}

function parsed<T>(parse: () => T): T | undefined {
  try {
    return parse();
  } catch {
    // What OpenSSL says of it may quote it.
    return undefined;
  }
}

function hidden(field: string, rule: string): Error {
  return invalidOption(field, rule, 'something else');
}
