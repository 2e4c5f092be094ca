import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { kubectl as program, missing } from '../../foreign/toolchain.js';
import { CertificateAuthority } from '../../support/certificates.js';
import { lease } from './manifests.js';
import { Served } from './served.js';

describe.skipIf(missing(program))('kubectl over TLS', () => {
  const served = new Served();
  let directory: string;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'leasehold-tls-'));
    const authority = new CertificateAuthority('Authority');
    const { cert, key } = authority.issue('127.0.0.1');
    const paths = { ca: join(directory, 'ca.pem'), cert: join(directory, 'cert.pem'), key: join(directory, 'key.pem') };
    await Promise.all([writeFile(paths.ca, authority.cert), writeFile(paths.cert, cert), writeFile(paths.key, key)]);
    await served.start({ LEASEHOLD_HTTP_TLS_CERT: paths.cert, LEASEHOLD_HTTP_TLS_KEY: paths.key }, paths.ca);
  });

  afterAll(async () => {
    await served.stop();
    await rm(directory, { recursive: true, force: true });
  });

  test('speaks HTTP/2 with the server of the kubeconfig', async () => {
    const { stdout, stderr } = await served.kubectl.run(['get', '--raw', '/readyz', '-v', '8'], { GODEBUG: 'http2debug=1' });
    expect(stdout).toBe('ok');
    expect(stderr).toContain('https://127.0.0.1:');
    expect(stderr).toContain('http2: Transport');
  });

  test('knows the resources, what they are made of, and who it is', async () => {
    const { kubectl } = served.room();
    expect(await kubectl.print('api-resources', '--api-group=coordination.k8s.io', '--no-headers')).toMatch(
      /^leases +coordination\.k8s\.io\/v1 +true +Lease\n$/,
    );
    expect(await kubectl.print('explain', 'lease.spec.holderIdentity')).toContain('FIELD: holderIdentity <string>');
    expect(await kubectl.print('auth', 'can-i', 'update', 'leases')).toBe('yes\n');
    expect(await kubectl.print('auth', 'whoami', '-o', 'jsonpath={.status.userInfo.username}')).toBe('system:anonymous');
  });

  test('creates, watches, changes, waits for and deletes leases', async () => {
    const { kubectl, namespace } = served.room();
    await kubectl.write('a.yaml', lease('a', 'mia'));
    expect(await kubectl.print('apply', '-f', 'a.yaml')).toBe('lease.coordination.k8s.io/a created\n');
    const watch = kubectl.start('get', 'lease', '-w');
    expect(await watch.lines(2)).toEqual(['NAME   HOLDER   AGE', 'a      mia      0s']);
    await kubectl.write('a.yaml', lease('a', 'zoe'));
    expect((await kubectl.run(['diff', '-f', 'a.yaml'])).stdout).toContain('+  holderIdentity: zoe\n');
    expect(await kubectl.print('apply', '-f', 'a.yaml')).toBe('lease.coordination.k8s.io/a configured\n');
    expect(await watch.lines(1)).toEqual(['a      zoe      0s']);
    await kubectl.print('wait', 'lease/a', '--for=jsonpath={.spec.holderIdentity}=zoe', '--timeout=60s');

    const { granted } = await served.client.acquire('jobs', { namespace, durationMs: 3_600_000 });
    expect(await watch.lines(1)).toEqual(['jobs   worker-1   0s']);
    const waiting = kubectl.start('wait', 'lease/jobs', '--for=delete', '--timeout=60s', '-v', '6');
    await waiting.watches();
    await granted?.release();
    expect(await watch.lines(1)).toEqual(['jobs              0s']);
    expect(await kubectl.print('delete', 'lease', '--all')).toMatch(/"a" deleted.*\n.*"jobs" deleted/);
    expect(await waiting.ended()).toMatchObject({ code: 0 });
  });
});
