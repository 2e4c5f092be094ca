import { readCertificates, readPair } from './options/pem.js';

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

/** Whether only this machine can reach an address. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host.startsWith('127.');
}

/** Whether all addresses of this machine are meant, which are none to dial. */
export function isEveryAddress(host: string): boolean {
  return host === '0.0.0.0' || host === '::';
}
