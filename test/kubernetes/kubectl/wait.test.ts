import { describe, expect, test } from 'vitest';
import { kubectl as program, missing } from '../../foreign/toolchain.js';
import type { Kubectl } from './kubectl.js';
import { lease } from './manifests.js';
import { useServer } from './served.js';

const met = (name: string): object => ({ code: 0, stdout: `lease.coordination.k8s.io/${name} condition met` });

describe.skipIf(missing(program))('kubectl wait', () => {
  const served = useServer();

  async function create(kubectl: Kubectl, name: string, duration?: number): Promise<void> {
    await kubectl.write(`${name}.yaml`, lease(name, 'mia', duration === undefined ? {} : { duration }));
    await kubectl.print('create', '-f', `${name}.yaml`);
  }

  test('ends when a field has a value, be it that it has already', async () => {
    const { kubectl } = served.room();
    await create(kubectl, 'a');
    const wait = ['wait', 'lease/a', '--for=jsonpath={.spec.holderIdentity}=zoe', '--timeout=60s'];
    const waiting = kubectl.start(...wait, '-v', '6');
    await waiting.watches();
    await kubectl.print('patch', 'lease', 'a', '-p', '{"spec":{"holderIdentity":"zoe"}}');
    expect(await waiting.ended()).toMatchObject(met('a'));
    expect(await kubectl.print(...wait)).toBe('lease.coordination.k8s.io/a condition met\n');
  });

  test('ends when a lease is released over gRPC', async () => {
    const { kubectl, namespace } = served.room();
    const { granted } = await served.client.acquire('jobs', { namespace, durationMs: 3_600_000 });
    const isFree = '--for=jsonpath={.metadata.annotations.leasehold\\.dev/state}=AVAILABLE';
    const waiting = kubectl.start('wait', 'lease/jobs', isFree, '--timeout=60s', '-v', '6');
    await waiting.watches();
    await granted?.release();
    expect(await waiting.ended()).toMatchObject(met('jobs'));
  });

  test('ends when a lease has expired', async () => {
    const { kubectl } = served.room();
    await create(kubectl, 'b', 1);
    const isOver = '--for=jsonpath={.metadata.annotations.leasehold\\.dev/state}=EXPIRED';
    expect(await kubectl.print('wait', 'lease/b', isOver, '--timeout=60s')).toBe('lease.coordination.k8s.io/b condition met\n');
  });

  test('ends when leases are deleted, over either door', async () => {
    const { kubectl, namespace } = served.room();
    await create(kubectl, 'c');
    await served.client.create('jobs', { namespace });
    const [first, second] = ['c', 'jobs'].map((name) =>
      kubectl.start('wait', `lease/${name}`, '--for=delete', '--timeout=60s', '-v', '6'),
    );
    await Promise.all([first!.watches(), second!.watches()]);
    await kubectl.print('delete', 'lease', 'c');
    await served.client.delete('jobs', { namespace });
    expect(await first!.ended()).toMatchObject(met('c'));
    expect(await second!.ended()).toMatchObject(met('jobs'));
  });

  test('ends when a lease is there', async () => {
    const { kubectl, namespace } = served.room();
    const waiting = kubectl.start('wait', 'lease/jobs', '--for=create', '--timeout=60s');
    await served.client.acquire('jobs', { namespace, durationMs: 3_600_000 });
    expect(await waiting.ended()).toMatchObject(met('jobs'));
  });

  test('gives up', async () => {
    const { kubectl } = served.room();
    await create(kubectl, 'd');
    expect(await kubectl.refused('wait', 'lease', '--all', '--for=delete', '--timeout=1s')).toMatch(
      /error: timed out waiting for the condition on leases\/d\n$/,
    );
    expect(await kubectl.refused('wait', 'lease/none', '--for=jsonpath={.spec.holderIdentity}=x')).toBe(
      'Error from server (NotFound): leases.coordination.k8s.io "none" not found\n',
    );
  });
});
