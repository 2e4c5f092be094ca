// The API server of Kubernetes, built from its Go module, over an etcd of its own.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { get } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { certificateIn } from './certificates.mjs';
import { withEtcd } from './etcd.mjs';
import { goProgram } from './go.mjs';
import { freePort, start } from './process.mjs';

const source = fileURLToPath(new URL('../kube-apiserver', import.meta.url));
const token = 'bench';

/** Runs `action` with a kube-apiserver: `server` (its URL), `ca`, `token`, and the `pids` of it and its etcd. */
export async function withKubeApiserver(action) {
  const program = await goProgram(source, 'kube-apiserver');
  return withEtcd(async (etcd) => {
    const folder = mkdtempSync(join(tmpdir(), 'leasehold-bench-kube-'));
    const { cert, key } = await certificateIn(folder);
    const tokens = join(folder, 'tokens.csv');
    writeFileSync(tokens, `${token},bench,bench,system:masters\n`);
    const port = await freePort();
    const apiserver = start(program, [
      ...['--etcd-servers', `http://${etcd.address}`, '--secure-port', String(port), '--bind-address', '127.0.0.1'],
      ...[
        '--advertise-address',
        '127.0.0.1',
        '--tls-cert-file',
        cert,
        '--tls-private-key-file',
        key,
        '--token-auth-file',
        tokens,
      ],
      ...[
        '--service-account-issuer',
        'https://localhost',
        '--service-account-key-file',
        cert,
        '--endpoint-reconciler-type',
        'none',
      ],
      ...['--service-account-signing-key-file', key, '--service-cluster-ip-range', '10.0.0.0/24'],
      ...['--authorization-mode', 'AlwaysAllow', '--disable-admission-plugins', 'ServiceAccount'],
    ]);
    try {
      const server = `https://127.0.0.1:${port}`;
      await ready(apiserver, `${server}/readyz`, readFileSync(cert));
      return await action({ server, ca: cert, token, pids: [apiserver.child.pid, etcd.pid] });
    } catch (error) {
      throw new Error(`kube-apiserver: ${error.message}\n${apiserver.output()}`, { cause: error });
    } finally {
      await apiserver.stop('SIGKILL');
      rmSync(folder, { recursive: true });
    }
  });
}

async function ready({ child }, url, ca) {
  for (let attempt = 0; attempt < 240 && child.exitCode === null; attempt++) {
    if ((await statusOf(url, ca)) === 200) return;
    await sleep(250);
  }
  throw new Error('it was not ready within a minute');
}

function statusOf(url, ca) {
  return new Promise((resolve) => {
    get(url, { ca, headers: { authorization: `Bearer ${token}` } }, (answer) => {
      answer.resume();
      resolve(answer.statusCode);
    }).on('error', () => resolve(0));
  });
}
