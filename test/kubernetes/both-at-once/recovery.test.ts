import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { status } from '@grpc/grpc-js';
import type { LeaseServiceClient } from '@leasehold/proto/leasehold/v1/lease_service';
import { expect, onTestFinished, test } from 'vitest';
import { acquire, call, connect, get, refusalOf, seconds } from '../../server/support.js';
import { ServerProcess, temporaryDirectory } from '../../support/server-process.js';
import { KubeClient, leasesPath, type KubeLease, type KubeStatus } from './kube-client.js';

/** What a `kill -9` leaves: everything that was acknowledged, whichever API it came through. */

const env = { LEASEHOLD_HTTP_LISTEN: '127.0.0.1:0' };

function clients(server: ServerProcess): { grpc: LeaseServiceClient; kube: KubeClient } {
  const kube = new KubeClient(server.httpAddress);
  onTestFinished(() => kube.close());
  return { grpc: connect(server.address), kube };
}

const path = (name: string): string => `${leasesPath}/${name}`;

const spec = {
  ...{ holderIdentity: 'k', leaseDurationSeconds: 3600, leaseTransitions: 7 },
  ...{ acquireTime: '2001-02-03T04:05:06.000007Z', renewTime: '2001-02-03T04:05:06.123457Z' },
};

/** One lease of each kind. */
async function furnish({ grpc, kube }: ReturnType<typeof clients>): Promise<void> {
  const holder = { holder: 'g', duration: seconds(3600) };
  await acquire(grpc, { name: 'of-grpc', ...holder, labels: { app: 'x' }, annotations: { note: 'y' } });
  const owner = { apiVersion: 'v1', kind: 'Node', name: 'n', uid: 'u', blockOwnerDeletion: true };
  const metadata = { name: 'of-kubernetes', finalizers: ['example.com/f'], ownerReferences: [owner], annotations: { note: 'z' } };
  await kube.ask('POST', `${leasesPath}?fieldManager=creator`, { metadata, spec });
  await kube.ask('POST', leasesPath, { metadata: { name: 'for-ever' }, spec: { holderIdentity: 'f' } });
  await kube.ask('POST', leasesPath, { metadata: { name: 'free' }, spec: { leaseDurationSeconds: 2147483647 } });
  for (const name of ['of-grpc', 'of-kubernetes']) {
    const applied = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata: { name, labels: { applied: 'yes' } } };
    await kube.ask('PATCH', `${path(name)}?fieldManager=applier`, applied, 'application/apply-patch+yaml');
  }
  await acquire(grpc, { name: 'deleted', ...holder });
  expect((await kube.ask('DELETE', path('deleted'))).code).toBe(200);
}

test('a killed server comes back with the leases of both APIs as they were written, and with the rules of each', async () => {
  const store = `sqlite:${join(await temporaryDirectory(), 'leases.db')}`;
  const first = await ServerProcess.start({ store, env });
  const before = clients(first);
  await furnish(before);
  const shown = (await before.kube.ask('GET', leasesPath)).json as { items: KubeLease[]; metadata: { resourceVersion: string } };
  expect(shown.items.map(({ metadata }) => metadata.name)).toEqual(['for-ever', 'free', 'of-grpc', 'of-kubernetes']);
  const { lease: held } = await get(before.grpc, { name: 'of-grpc' });
  await first.kill();

  const { grpc, kube } = clients(await ServerProcess.start({ store, env }));
  expect(((await kube.ask('GET', leasesPath)).json as typeof shown).items).toEqual(shown.items);
  expect(shown.items.at(-1)).toMatchObject({
    spec,
    metadata: { managedFields: [{ manager: 'applier' }, { manager: 'creator' }] },
  });
  const { remaining: _, ...record } = held!;
  expect((await get(grpc, { name: 'of-grpc' })).lease).toMatchObject(record);

  const take = { spec: { holderIdentity: 'other', renewTime: '2001-02-03T04:05:07.000000Z' } };
  const patch = (name: string) => kube.ask('PATCH', path(name), take, 'application/merge-patch+json');
  const refused = await patch('of-grpc');
  expect(refused.code).toBe(409);
  expect((refused.json as KubeStatus).details?.causes?.[0]?.reason).toBe('LEASE_HELD');
  for (const name of ['of-kubernetes', 'for-ever']) expect((await patch(name)).code).toBe(200);
  const created = await kube.ask('POST', leasesPath, { metadata: { name: 'deleted' } });
  expect((created.json as KubeStatus).details?.causes?.[0]?.reason).toBe('NAME_RESERVED');
  const { namespace, name, holder, fencingToken } = held!;
  await call(grpc, 'renew', { namespace, name, holder, fencingToken });
  expect(await refusalOf(call(grpc, 'renew', { namespace, name, holder, fencingToken: fencingToken - 1n }))).toMatchObject({
    reason: 'LEASE_LOST',
  });
}, 60_000);

test('what either API has acknowledged survives kills at random moments, and versions only rise', async () => {
  const store = `sqlite:${join(await temporaryDirectory(), 'leases.db')}`;
  const acknowledged = { grpc: 0, kube: 0, version: 0n };
  for (let round = 0; round < 6; round += 1) {
    const server = await ServerProcess.launch({ store, env });
    const { grpc, kube } = clients(server);
    const { json } = await kube.ask('GET', path('shared'));
    const { labels = {}, resourceVersion } = (json as Partial<KubeLease>).metadata ?? {};
    expect(Number(labels['grpc'] ?? 0)).toBeGreaterThanOrEqual(acknowledged.grpc);
    expect(Number(labels['kube'] ?? 0)).toBeGreaterThanOrEqual(acknowledged.kube);
    expect(BigInt(resourceVersion ?? 0)).toBeGreaterThanOrEqual(acknowledged.version);
    if (round === 0) await kube.ask('POST', leasesPath, { metadata: { name: 'shared' } });

    let isOver = false;
    const work = async (write: () => Promise<unknown>): Promise<void> => {
      while (!isOver) await write();
    };
    const overGrpc = work(async () => {
      const next = acknowledged.grpc + 1;
      const request = {
        name: 'shared',
        labels: { grpc: String(next) },
        annotations: {},
        removeLabels: [],
        removeAnnotations: [],
      };
      const unset = {
        namespace: 'default',
        resourceVersion: 0n,
        fencingToken: 0n,
        lockDelay: undefined,
        keepAfterExpiry: undefined,
      };
      const { lease } = await call(grpc, 'update', { ...request, ...unset });
      acknowledged.grpc = next;
      acknowledged.version = lease!.resourceVersion;
    });
    const overKube = work(async () => {
      const next = acknowledged.kube + 1;
      const body = { metadata: { labels: { kube: String(next) } } };
      const answer = await kube.ask('PATCH', path('shared'), body, 'application/merge-patch+json');
      expect(answer.code).toBe(200);
      acknowledged.kube = next;
    });
    const ended = Promise.allSettled([overGrpc, overKube]);
    await sleep(100 + 400 * Math.random());
    await server.kill();
    isOver = true;
    const broken = [status.UNAVAILABLE, 'ECONNRESET', 'ECONNREFUSED', 'EPIPE'];
    for (const outcome of await ended) {
      if (outcome.status === 'rejected') expect(broken).toContain((outcome.reason as { code?: unknown }).code);
    }
  }
  expect(Math.min(acknowledged.grpc, acknowledged.kube)).toBeGreaterThan(5);
}, 120_000);
