// A certificate for the loopback address, good for a day: clients of the Kubernetes API are used to TLS.
import { join } from 'node:path';
import { run } from './process.mjs';

/** Makes one in a folder; returns the paths of `cert`, which signs itself, and `key`. */
export async function certificateIn(folder) {
  const [cert, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')];
  await run('openssl', [
    ...['req', '-x509', '-days', '1', '-nodes', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1'],
    ...['-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', key, '-out', cert],
  ]);
  return { cert, key };
}
