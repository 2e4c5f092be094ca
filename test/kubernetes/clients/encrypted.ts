import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CertificateAuthority } from '../../support/certificates.js';

/** What a server needs to encrypt its Kubernetes API, and who talks with it to trust it. */
export interface Encryption {
  readonly args: readonly string[];
  /** The certificate to trust, in PEM. */
  readonly ca: string;
  remove(): Promise<void>;
}

/** Makes certificates for a server on this machine. */
export async function encrypted(): Promise<Encryption> {
  const directory = await mkdtemp(join(tmpdir(), 'leasehold-tls-'));
  const authority = new CertificateAuthority('Authority');
  const { cert, key } = authority.issue('127.0.0.1');
  const [certFile, keyFile] = [join(directory, 'cert.pem'), join(directory, 'key.pem')] as const;
  await Promise.all([writeFile(certFile, cert), writeFile(keyFile, key)]);
  return {
    args: ['--http-tls-cert', certFile, '--http-tls-key', keyFile],
    ca: authority.cert,
    remove: () => rm(directory, { recursive: true, force: true }),
  };
}
