import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readOptionFile, refuseFile } from './file.js';

/** Files in PEM that options name. They are checked when they are read: nobody could shake hands with them later. */

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

function attempt<T>(parse: () => T): T | undefined {
  try {
    return parse();
  } catch {
    // What is wrong inside would quote the file; which file it is says enough.
    return undefined;
  }
}
