import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { OptionError } from './options/parse.js';
import type { ServerOptions } from './options/table.js';

/** What a server shows of itself and asks of clients, as PEM. */
export interface TlsFiles {
  readonly cert: Buffer;
  readonly key: Buffer;
  /** Who signs the certificates that clients have to show; `undefined`: they show none. */
  readonly clientCa: Buffer | undefined;
}

/**
 * Reads the files that the options name, and checks what is in them: a server that could not shake hands with anybody is not to start.
 * They are read once; a renewed certificate takes a restart.
 *
 * @returns `undefined` where no certificate is named.
 * @throws {OptionError} a file cannot be read, or holds something else. The message says nothing of what it holds.
 */
export async function readTls({ tlsCert, tlsKey, tlsClientCa }: ServerOptions): Promise<TlsFiles | undefined> {
  if (tlsCert === undefined || tlsKey === undefined) {
    return undefined;
  }
  const cert = await read('--tls-cert', tlsCert);
  const key = await read('--tls-key', tlsKey);
  const clientCa = tlsClientCa === undefined ? undefined : await read('--tls-client-ca', tlsClientCa);
  const inPem = 'must hold a certificate in PEM';
  const certificate = attempt(() => new X509Certificate(cert)) ?? refuse('--tls-cert', inPem, tlsCert);
  const privateKey = attempt(() => createPrivateKey(key)) ?? refuse('--tls-key', 'must hold a private key in PEM', tlsKey);
  if (!certificate.checkPrivateKey(privateKey)) {
    refuse('--tls-key', 'must be the key of the certificate in --tls-cert', tlsKey);
  }
  if (clientCa !== undefined && attempt(() => new X509Certificate(clientCa)) === undefined) {
    refuse('--tls-client-ca', inPem, tlsClientCa);
  }
  return { cert, key, clientCa };
}

/** Whether only this machine can reach an address. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host.startsWith('127.');
}

async function read(flag: string, path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
    return refuse(flag, `must be a file that can be read (${code})`, path);
  }
}

function attempt<T>(parse: () => T): T | undefined {
  try {
    return parse();
  } catch {
    // What is wrong inside would quote the file; which file it is says enough.
    return undefined;
  }
}

function refuse(flag: string, rule: string, path: string | undefined): never {
  throw new OptionError(`Invalid ${flag}: ${rule}, got ${JSON.stringify(path)}`);
}
