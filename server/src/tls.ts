import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readOptionFile, refuseFile } from './options/file.js';

/** What a server shows of itself and asks of clients, as PEM. */
export interface TlsFiles {
  readonly cert: Buffer;
  readonly key: Buffer;
  /** Who signs the certificates that clients have to show; `undefined`: they show none. */
  readonly clientCa: Buffer | undefined;
}

/** Where they are; `undefined`: not given. */
export type TlsPaths = Readonly<Record<keyof TlsFiles, string | undefined>>;

/**
 * Reads the files that options name, and checks what is in them: a server that could not shake hands with anybody is not to start.
 * They are read once; a renewed certificate takes a restart.
 *
 * @param flag what the options begin with: `http-tls` for `--http-tls-cert`.
 * @returns `undefined` where no certificate is named.
 * @throws {OptionError} a file cannot be read, or holds something else. The message says nothing of what it holds.
 */
export async function readTls(flag: string, paths: TlsPaths): Promise<TlsFiles | undefined> {
  if (paths.cert === undefined || paths.key === undefined) {
    return undefined;
  }
  const { cert, key } = await readPair(flag, paths.cert, paths.key);
  const clientCa = paths.clientCa === undefined ? undefined : await readCertificates(`--${flag}-client-ca`, paths.clientCa);
  return { cert, key, clientCa };
}

/**
 * Reads a certificate and its private key.
 *
 * @throws {OptionError}
 */
export async function readPair(flag: string, certPath: string, keyPath: string): Promise<{ cert: Buffer; key: Buffer }> {
  const cert = await readCertificates(`--${flag}-cert`, certPath);
  const key = await readOptionFile(`--${flag}-key`, keyPath);
  const privateKey =
    attempt(() => createPrivateKey(key)) ??
    refuseFile(`--${flag}-key`, 'must hold a private key in PEM, without a passphrase', keyPath);
  if (!new X509Certificate(cert).checkPrivateKey(privateKey)) {
    refuseFile(`--${flag}-key`, `must be the key of the certificate in --${flag}-cert`, keyPath);
  }
  return { cert, key };
}

/**
 * Reads certificates in PEM.
 *
 * @param flag with its dashes.
 * @throws {OptionError}
 */
export async function readCertificates(flag: string, path: string): Promise<Buffer> {
  const certificates = await readOptionFile(flag, path);
  if (attempt(() => new X509Certificate(certificates)) === undefined) {
    refuseFile(flag, 'must hold a certificate in PEM', path);
  }
  return certificates;
}

/** Whether only this machine can reach an address. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host.startsWith('127.');
}

/** Whether all addresses of this machine are meant, which are none to dial. */
export function isEveryAddress(host: string): boolean {
  return host === '0.0.0.0' || host === '::';
}

function attempt<T>(parse: () => T): T | undefined {
  try {
    return parse();
  } catch {
    // What is wrong inside would quote the file; which file it is says enough.
    return undefined;
  }
}
