import { createClient, UnavailableError, type Client } from '@leasehold/sdk';
import { describe, expect, it, onTestFinished } from 'vitest';
import { EtcdProcess, withoutEtcd } from '../../support/etcd-process.js';
import { ServerProcess } from '../../support/server-process.js';

const patience = { timeout: 60_000, interval: 50 };

/** Server processes that share the leases in a real etcd. */
describe.skipIf(withoutEtcd !== '')(`servers over etcd${withoutEtcd}`, { timeout: 120_000 }, () => {
  it('answer alike: what one has granted the others know at once', async () => {
    const { servers } = await replicas(3);
    const [first, second, third] = servers.map((server) => clientOf(server)) as [Client, Client, Client];
    const held = (await first.acquire('held', { durationMs: 30_000 })).granted!;
    expect(await second.get('held')).toMatchObject({ fencingToken: held.fencingToken });
    expect((await third.acquire('held', { holder: 'else' })).busy).toMatchObject({ fencingToken: held.fencingToken });
    await expect(second.revoke('held', { fencingToken: held.fencingToken - 1n })).rejects.toMatchObject({ reason: 'LEASE_LOST' });
    await held.release();
    expect((await third.acquire('held', { holder: 'else' })).granted!.fencingToken).toBeGreaterThan(held.fencingToken);
  });

  it('grant to who waits on another one, in order of arrival and by priority', async () => {
    const { etcd, servers } = await replicas(3);
    const clients = servers.map((server) => clientOf(server)) as [Client, Client, Client];
    const held = (await clients[0].acquire('queued', { durationMs: 30_000 })).granted!;
    const order: string[] = [];
    const wait = async (client: Client, holder: string, priority = 0): Promise<void> => {
      const { granted } = await client.acquire('queued', { holder, priority, waitMs: 60_000, durationMs: 30_000 });
      order.push(holder);
      await granted!.release();
    };
    const waiting = [wait(clients[2], 'first')];
    await expect.poll(() => waitersIn(etcd, 'queued')).toBe(1);
    waiting.push(wait(clients[1], 'second'));
    await expect.poll(() => waitersIn(etcd, 'queued')).toBe(2);
    await held.release();
    await Promise.all(waiting);
    expect(order).toEqual(['first', 'second']);
  });

  it('go on when one is killed: what it kept stays held by the same token, and moves', async () => {
    const { servers } = await replicas(2);
    const [doomed, other] = servers as [ServerProcess, ServerProcess];
    const client = clientOf(doomed, other);
    const held = (await client.acquire('held', { durationMs: 15_000 })).granted!;
    const orphan = await clientOf(doomed).acquire('orphan', { durationMs: 3_000 });
    await doomed.kill();
    await expect.poll(() => clientOf(other).get('held'), patience).toMatchObject({ fencingToken: held.fencingToken });
    const { granted } = await clientOf(other).acquire('orphan', { holder: 'heir', waitMs: 60_000 });
    expect(granted!.fencingToken).toBeGreaterThan(orphan.granted!.fencingToken);
    await held.setAnnotations({ after: 'the kill' });
    expect(held.signal.aborted).toBe(false);
    await held.release();
  });

  it('hand their streams over when one goes in order: nothing is lost', async () => {
    const { servers } = await replicas(2);
    const [leaving, other] = servers as [ServerProcess, ServerProcess];
    const client = clientOf(leaving, other);
    const leases = await Promise.all(
      Array.from({ length: 20 }, async (_, index) => (await client.acquire(`held-${index}`, { durationMs: 5_000 })).granted!),
    );
    expect(await leaving.stop()).toBe(0);
    // Twice as long as they would last if nobody kept them.
    const observer = clientOf(other);
    const until = performance.now() + 10_000;
    while (performance.now() < until) {
      for (const [index, lease] of leases.entries()) {
        expect(await observer.get(`held-${index}`)).toMatchObject({ holder: lease.holder, fencingToken: lease.fencingToken });
        expect(lease.signal.aborted).toBe(false);
      }
    }
    await Promise.all(leases.map((lease) => lease.release()));
  });

  it('do without one that is paused, which answers nothing from memory when it goes on', async () => {
    const { servers } = await replicas(2);
    const [paused, other] = servers as [ServerProcess, ServerProcess];
    const ofPaused = clientOf(paused);
    const lost = (await ofPaused.acquire('moved', { holder: 'before', durationMs: 2_000 })).granted!;
    process.kill(paused.pid, 'SIGSTOP');
    const { granted } = await clientOf(other).acquire('moved', { holder: 'after', durationMs: 30_000, waitMs: 60_000 });
    expect(granted!.fencingToken).toBeGreaterThan(lost.fencingToken);
    expect(lost.signal.aborted).toBe(true);
    process.kill(paused.pid, 'SIGCONT');
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => ofPaused.get('moved', { timeoutMs: 2_000 }).catch((error: unknown) => error)),
    );
    for (const answer of answers) {
      if (!(answer instanceof UnavailableError)) expect(answer).toMatchObject({ holder: 'after' });
    }
    await expect.poll(() => ofPaused.get('moved').catch(() => undefined), patience).toMatchObject({ holder: 'after' });
  });

  it('serve again after etcd was away for longer than they may be alone, without a restart', async () => {
    const { etcd, servers } = await replicas(2);
    const client = clientOf(...servers);
    const { granted } = await client.acquire('held', { durationMs: 600_000, holder: 'me' });
    await etcd.kill();
    await expect
      .poll(() => client.get('held', { timeoutMs: 500 }).then(Object, (error: unknown) => error), patience)
      .toBeInstanceOf(UnavailableError);
    await etcd.start();
    await expect
      .poll(() => client.get('held').catch(() => undefined), patience)
      .toMatchObject({ holder: 'me', fencingToken: granted!.fencingToken });
  });

  it('tell a watch on one what is done on another, in one order', async () => {
    const { servers } = await replicas(2);
    const [first, second] = servers.map((server) => clientOf(server)) as [Client, Client];
    const seen: bigint[] = [];
    const watching = new AbortController();
    const { fencingToken: start } = (await first.acquire('start')).granted!;
    const watch = (async () => {
      for await (const event of second.watch({ fromRevision: start, signal: watching.signal })) {
        seen.push(event.revision);
      }
    })().catch(() => undefined);
    for (let round = 0; round < 10; round += 1) {
      for (const client of [first, second]) await (await client.acquire(`lease-${round}`)).granted!.release();
    }
    await expect.poll(() => seen.length, patience).toBe(40);
    expect(seen).toEqual([...seen].sort((left, right) => Number(left - right)));
    watching.abort();
    await watch;
  });
});

async function replicas(count: number): Promise<{ etcd: EtcdProcess; servers: ServerProcess[] }> {
  const etcd = await EtcdProcess.start();
  onTestFinished(() => etcd.dispose());
  const servers = await Promise.all(Array.from({ length: count }, () => ServerProcess.start({ store: `etcd:${etcd.endpoint}` })));
  return { etcd, servers };
}

function clientOf(...servers: readonly ServerProcess[]): Client {
  const client = createClient({ endpoints: servers.map(({ address }) => address), timeoutMs: 20_000 });
  onTestFinished(() => client.close());
  return client;
}

/** On how many servers somebody waits. */
async function waitersIn(etcd: EtcdProcess, name: string): Promise<number> {
  const client = etcd.client();
  try {
    const { kvs } = await client.call('Range', { key: Buffer.from(`/leasehold/leases/default/${name}`) });
    const [, record] = JSON.parse(kvs[0]!.value.toString()) as [string, { waiting?: unknown[] }];
    return record.waiting?.length ?? 0;
  } finally {
    client.close();
  }
}
