import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import type { LeaseCoordinator } from '@leasehold/core';
import { systemClock } from '../../../server/dist/clock.js';
import { allowAll } from '../../../server/dist/kubernetes/access/authorizer.js';
import { KubernetesApi } from '../../../server/dist/kubernetes/api.js';
import { HttpServer } from '../../../server/dist/kubernetes/http/server.js';
import { createRoutes } from '../../../server/dist/kubernetes/routes.js';
import { kubectl as program, missing, required } from '../../foreign/toolchain.js';
import { recordingLeases } from '../api-support.js';

describe.skipIf(missing(program))('kubectl, before it comes to leases', () => {
  let home = '';

  beforeEach(async () => {
    home = await mkdtemp(join(tmpdir(), 'leasehold-kubectl-'));
    return () => rm(home, { recursive: true, force: true });
  });

  test('knows the version and the resources', async () => {
    const kubectl = await serve(() => home);
    expect(await kubectl('version')).toMatch(/Server Version: v1\.36\.0\+leasehold/);
    expect((await kubectl('api-versions')).trim().split('\n')).toEqual([
      ...['authentication.k8s.io/v1', 'authorization.k8s.io/v1', 'coordination.k8s.io/v1', 'v1'],
    ]);
    expect(lines(await kubectl('api-resources', '--no-headers'))).toEqual([
      'events ev v1 true Event',
      'namespaces ns v1 false Namespace',
      'selfsubjectreviews authentication.k8s.io/v1 false SelfSubjectReview',
      'selfsubjectaccessreviews authorization.k8s.io/v1 false SelfSubjectAccessReview',
      'selfsubjectrulesreviews authorization.k8s.io/v1 false SelfSubjectRulesReview',
      'leases coordination.k8s.io/v1 true Lease',
    ]);
    // From what it has kept on disk.
    expect(lines(await kubectl('api-resources', '--no-headers', '--cached', '-o', 'name'))).toContain(
      'leases.coordination.k8s.io',
    );
  });

  test('explains fields, from OpenAPI 3 and from OpenAPI 2', async () => {
    const kubectl = await serve(() => home);
    const spec = await kubectl('explain', 'lease.spec');
    expect(spec).toMatch(/KIND: +Lease\nVERSION: +v1\n\nFIELD: spec <LeaseSpec>/);
    expect(spec).toMatch(/leaseDurationSeconds\t<integer>\n +For how long the lease is good/);
    expect(await kubectl('explain', 'lease', '--recursive')).toMatch(
      /ownerReferences\t<\[\]OwnerReference>\n +apiVersion\t<string> -required-/,
    );
    const old = await kubectl('explain', 'lease.spec', '--output', 'plaintext-openapiv2');
    expect(old).toMatch(/RESOURCE: spec <Object>[^]*leaseDurationSeconds\t<integer>\n +For how long the lease is good/);
    expect(await kubectl('explain', 'namespace.status')).toContain('phase\t<string>');
    expect(await kubectl('explain', 'selfsubjectaccessreview.spec.resourceAttributes')).toContain('verb\t<string>');
  });

  test('asks what it may do and who it is', async () => {
    const kubectl = await serve(() => home);
    expect(await kubectl('auth', 'can-i', 'get', 'leases')).toBe('yes\n');
    expect(await kubectl('auth', 'can-i', 'get', '/healthz')).toBe('yes\n');
    expect(lines(await kubectl('auth', 'can-i', '--list', '--no-headers'))).toEqual(['*.* [] [] [*]', '[*] [] [*]']);
    expect(lines(await kubectl('auth', 'whoami'))).toEqual([
      ...['ATTRIBUTE VALUE', 'Username system:anonymous', 'Groups [system:unauthenticated]'],
    ]);
    expect(await kubectl('auth', 'whoami', '-o', 'jsonpath={.status.userInfo.username}')).toBe('system:anonymous');
  });

  test('lists, reads and creates namespaces', async () => {
    const kubectl = await serve(() => home);
    expect(lines(await kubectl('get', 'namespaces'))).toEqual([
      'NAME STATUS AGE',
      ...['default', 'kube-node-lease', 'kube-system', 'team-a'].map((name) => `${name} Active <unknown>`),
    ]);
    expect(lines(await kubectl('get', 'ns', 'any-other', '--no-headers'))).toEqual(['any-other Active <unknown>']);
    expect(await kubectl('get', 'ns', '-l', 'kubernetes.io/metadata.name=team-a', '-o', 'name')).toBe('namespace/team-a\n');
    expect(await kubectl('get', 'ns', '--field-selector', 'metadata.name=team-a', '-o', 'name')).toBe('namespace/team-a\n');
    expect(await kubectl('get', 'ns', 'team-a', '-o', 'jsonpath={.status.phase}')).toBe('Active');
    expect(await kubectl('create', 'namespace', 'new')).toBe('namespace/new created\n');
    await expect(kubectl('get', 'ns', 'No_Name')).rejects.toThrow('namespaces "No_Name" not found');
  });

  test('reads health and other paths, and hears of what there is not', async () => {
    const kubectl = await serve(() => home);
    expect(await kubectl('get', '--raw', '/readyz?verbose')).toMatch(/readyz check passed\n$/);
    expect(JSON.parse(await kubectl('get', '--raw', '/apis/'))).toMatchObject({ kind: 'APIGroupList' });
    expect(await kubectl('get', 'events', '-A')).toBe('');
    await expect(kubectl('get', 'pods')).rejects.toThrow(`the server doesn't have a resource type "pods"`);
    await expect(kubectl('get', '--raw', '/nothing')).rejects.toThrow('could not find the requested resource');
  });
});

type Kubectl = (...args: string[]) => Promise<string>;

/** A server without leases, and a kubectl that talks with it. */
async function serve(home: () => string): Promise<Kubectl> {
  const coordinator = {
    revision: 7n,
    namespaces: () => ['team-a'],
    catchUp: () => Promise.resolve(),
  } as unknown as LeaseCoordinator;
  const engine = { current: () => coordinator };
  const routes = createRoutes({ leases: recordingLeases(), engine, authorizer: allowAll, clock: systemClock });
  const server = new HttpServer({
    api: new KubernetesApi(routes, allowAll),
    clock: systemClock,
    log: {
      error({ err }) {
        throw err;
      },
    },
    listen: { host: '127.0.0.1', port: 0 },
    tls: undefined,
    ...{ connectionsMax: 100, streamsPerConnectionMax: 100 },
  });
  const port = await server.listen();
  onTestFinished(() => server.shutdown(0));
  const env = { PATH: process.env['PATH'], HOME: home() };
  return async (...args) => {
    const all = ['--server', `http://127.0.0.1:${port}`, '--cache-dir', home(), ...args];
    return (await promisify(execFile)(required(program), all, { env, timeout: 60_000 })).stdout;
  };
}

/** Lines of a table, with one blank between columns. */
function lines(text: string): string[] {
  return text
    .trim()
    .split('\n')
    .map((line) => line.trim().replace(/ +/g, ' '));
}
