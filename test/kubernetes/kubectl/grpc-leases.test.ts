import { describe, expect, test } from 'vitest';
import { kubectl as program, missing } from '../../foreign/toolchain.js';
import type { Kubectl } from './kubectl.js';
import { lease } from './manifests.js';
import { useServer } from './served.js';

/** What kubectl may do to a lease whose holder renews it over gRPC, and what it is told where it may not. */

describe.skipIf(missing(program))('kubectl, of a lease that is held over gRPC,', () => {
  const served = useServer();

  async function held() {
    const { kubectl, namespace } = served.room();
    const { granted } = await served.client.acquire('jobs', { namespace, durationMs: 3_600_000, labels: { team: 'a' } });
    await kubectl.write('jobs.yaml', lease('jobs', 'mia', { duration: 60 }));
    return { kubectl, namespace, granted: granted! };
  }

  async function specOf(kubectl: Kubectl): Promise<object> {
    return (await kubectl.object('jobs')).spec;
  }

  test('writes labels and annotations, which its holder sees', async () => {
    const { kubectl, namespace, granted } = await held();
    await kubectl.print('label', 'lease', 'jobs', 'team=b', '--overwrite');
    await kubectl.print('annotate', 'lease', 'jobs', 'why=because');
    expect(await served.client.get('jobs', { namespace })).toMatchObject({
      ...{ state: 'HELD', holder: 'worker-1', fencingToken: granted.fencingToken },
      ...{ labels: { team: 'b' }, annotations: { why: 'because' } },
    });
    await granted.setAnnotations({ of: 'ours' });
    expect((await kubectl.object('jobs')).metadata.annotations).toEqual({
      ...{ of: 'ours', why: 'because' },
      ...{ 'leasehold.dev/state': 'HELD', 'leasehold.dev/token': String(granted.fencingToken) },
    });
  });

  test('cannot write its spec by any verb', async () => {
    const { kubectl, namespace } = await held();
    const before = await specOf(kubectl);
    const why = `Lease ${namespace}/jobs is held over gRPC by "worker-1": its spec cannot be written while it lives`;
    const conflict = `Operation cannot be fulfilled on leases.coordination.k8s.io "jobs": ${why}`;
    const commands = [
      ...['merge', 'strategic'].map((type) => [
        'patch',
        'lease',
        'jobs',
        '--type',
        type,
        '-p',
        '{"spec":{"holderIdentity":"mia"}}',
      ]),
      ['patch', 'lease', 'jobs', '--type=json', '-p', '[{"op":"remove","path":"/spec/holderIdentity"}]'],
      ['replace', '-f', 'jobs.yaml'],
      ['apply', '-f', 'jobs.yaml'],
      ['apply', '-f', 'jobs.yaml', '--server-side', '--force-conflicts'],
    ];
    // All at once: `apply` tries a conflict five times, a second apart.
    for (const said of await Promise.all(commands.map((command) => kubectl.refused(...command)))) {
      expect(said).toContain(conflict);
    }
    expect(await kubectl.refused('apply', '-f', 'jobs.yaml', '--server-side')).toContain(
      'error: Apply failed with 2 conflicts: conflicts with "leasehold" using coordination.k8s.io/v1:\n- .spec.holderIdentity\n- .spec.leaseDurationSeconds\n',
    );
    expect(await specOf(kubectl)).toEqual(before);
  });

  test('can take it as soon as it has been released, and then it follows Kubernetes', async () => {
    const { kubectl, namespace, granted } = await held();
    await granted.release();
    await kubectl.print('patch', 'lease', 'jobs', '-p', '{"spec":{"holderIdentity":"mia","leaseDurationSeconds":3600}}');
    const taken = await served.client.get('jobs', { namespace });
    expect(taken).toMatchObject({ state: 'HELD', holder: 'mia' });
    expect(taken.fencingToken).toBeGreaterThan(granted.fencingToken);
    expect((await served.client.acquire('jobs', { namespace })).granted).toBeUndefined();
    await kubectl.print('patch', 'lease', 'jobs', '-p', '{"spec":{"holderIdentity":"zoe"}}');
    expect(await served.client.get('jobs', { namespace })).toMatchObject({ holder: 'zoe' });
  });

  test('deletes it, which tells its holder and keeps its name for as long as that may believe to hold it', async () => {
    const { kubectl, granted } = await held();
    const lost = new Promise<unknown>((resolve) => {
      granted.signal.addEventListener('abort', () => {
        resolve(granted.signal.reason);
      });
    });
    await kubectl.print('delete', 'lease', 'jobs');
    expect(await kubectl.refused('create', '-f', 'jobs.yaml')).toMatch(
      /^Error from server \(Conflict\): error when creating "jobs\.yaml": .*: the name of a deleted lease is reserved, \d+ ms left\n$/,
    );
    expect(await lost).toMatchObject({ code: 'FAILED_PRECONDITION', reason: 'LEASE_LOST' });
  });

  test('makes one that can be acquired over gRPC', async () => {
    const { kubectl, namespace } = served.room();
    await kubectl.write('free.yaml', lease('free', 'nobody').replace('  holderIdentity: nobody\n', ''));
    await kubectl.print('apply', '-f', 'free.yaml');
    const { granted } = await served.client.acquire('free', { namespace, durationMs: 3_600_000 });
    expect(await kubectl.print('get', 'lease', 'free', '--no-headers')).toBe('free   worker-1   0s\n');
    const { metadata } = await kubectl.object('free');
    expect(metadata.annotations).toMatchObject({ 'leasehold.dev/token': String(granted?.fencingToken) });
  });
});
