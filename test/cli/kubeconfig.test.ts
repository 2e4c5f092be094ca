import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { parseOptions, startServer } from '@leasehold/server';
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { kubectl, missing, required } from '../foreign/toolchain.js';
import { CertificateAuthority } from '../support/certificates.js';

const main = fileURLToPath(new URL('../../cli/dist/main.js', import.meta.url));
const authority = new CertificateAuthority('Authority');
let directory = '';

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'leasehold-kubeconfig-'));
  return () => rm(directory, { recursive: true, force: true });
});

describe('leasehold kubeconfig', () => {
  test('prints a kubeconfig for the default address', async () => {
    expect(await leasehold()).toBe(`apiVersion: v1
kind: Config
clusters:
- name: leasehold
  cluster:
    server: http://127.0.0.1:7401
    insecure-skip-tls-verify: true
users:
- name: leasehold
  user: {}
contexts:
- name: leasehold
  context:
    cluster: leasehold
    user: leasehold
current-context: leasehold
`);
  });

  test('names the server it is given, and carries the certificate that signed the server’s', async () => {
    const ca = join(directory, 'ca.pem');
    await writeFile(ca, authority.cert);
    const printed = await leasehold('--server', 'https://leases.example:8443/', '--ca', ca);
    const data = Buffer.from(authority.cert).toString('base64');
    expect(printed).toContain(`    server: https://leases.example:8443\n    certificate-authority-data: ${data}\nusers:`);
    // Without credentials, kubectl would ask for a name.
    expect(printed).toContain('  user: { token: anonymous }\n');
  });

  test.each([
    [['--server', 'leases:7401'], 'Invalid --server: must be http://HOST:PORT or https://HOST:PORT, got "leases:7401"'],
    [['--server', 'https://a?b'], 'Invalid --server: must be'],
    [['--ca', 'x'], 'Invalid --ca: must be given with a --server of https only'],
    [['--server', 'https://a', '--ca', '/none'], 'Invalid --ca: must be a file that can be read (ENOENT), got "/none"'],
    [['--server', 'https://a', '--ca', main], 'Invalid --ca: must be a file with a certificate in PEM, got '],
    [['--wat'], `Unknown option '--wat'`],
    [['more'], `Unexpected argument 'more'`],
  ])('%j is refused', async (args, message) => {
    await expect(leasehold(...args)).rejects.toMatchObject({ code: 2, stderr: expect.stringContaining(message) as string });
  });

  test('has help', async () => {
    expect(await leasehold('--help')).toMatch(/^Usage: leasehold kubeconfig \[options\]\n/);
  });

  test.skipIf(missing(kubectl))('prints one that kubectl takes, over TLS too', async () => {
    const { cert, key } = authority.issue('127.0.0.1');
    const paths = { cert: join(directory, 'cert.pem'), key: join(directory, 'key.pem'), ca: join(directory, 'ca.pem') };
    await Promise.all([writeFile(paths.cert, cert), writeFile(paths.key, key), writeFile(paths.ca, authority.cert)]);
    const tls = ['--http-tls-cert', paths.cert, '--http-tls-key', paths.key];
    for (const [scheme, flags] of [
      ['http', []],
      ['https', tls],
    ] as const) {
      const request = parseOptions(
        ['--store', 'memory:', '--listen', '127.0.0.1:0', '--http-listen', '127.0.0.1:0', ...flags],
        {},
      );
      const server = await startServer((request as Extract<typeof request, { kind: 'serve' }>).options);
      onTestFinished(() => server.drain());
      const ca = scheme === 'https' ? ['--ca', paths.ca] : [];
      const kubeconfig = join(directory, `${scheme}.yaml`);
      await writeFile(kubeconfig, await leasehold('--server', `${scheme}://${server.http?.address ?? ''}`, ...ca));
      expect(await readFile(kubeconfig, 'utf8')).toContain(scheme);
      const env = { PATH: process.env['PATH'], HOME: directory };
      const args = ['--kubeconfig', kubeconfig, 'get', 'ns', 'default', '-o', 'name'];
      expect((await promisify(execFile)(required(kubectl), args, { env, timeout: 60_000 })).stdout).toBe('namespace/default\n');
    }
  });
});

async function leasehold(...args: string[]): Promise<string> {
  return (await promisify(execFile)(process.execPath, [main, 'kubeconfig', ...args], { timeout: 30_000 })).stdout;
}
