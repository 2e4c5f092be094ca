import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { LeaseNotFoundError, type Lease, type LeaseEvent } from '@leasehold/sdk';
import { describe, expect, it } from 'vitest';
import { FaultProxy } from '../support/fault-proxy.js';
import { clientOf, eventually, serve, storeFile } from './support/server.js';

describe('a client of a real server', () => {
  it('does every unary call', async () => {
    const server = await serve();
    const client = clientOf(server.address);
    await client.ready();

    const created = await client.create('a', {
      labels: { app: 'foo', tier: 'web' },
      annotations: { note: 'one' },
      lockDelayMs: 5,
    });
    expect(created).toMatchObject({
      namespace: 'default',
      name: 'a',
      state: 'AVAILABLE',
      labels: { app: 'foo' },
      lockDelayMs: 5,
    });
    await expect(client.create('a')).rejects.toMatchObject({ name: 'RefusedError', reason: 'LEASE_EXISTS' });

    const updated = await client.update('a', {
      labels: { tier: undefined, zone: 'b' },
      resourceVersion: created.resourceVersion,
    });
    expect(updated.labels).toEqual({ app: 'foo', zone: 'b' });
    const stale = client.update('a', { labels: { zone: 'c' }, resourceVersion: created.resourceVersion });
    await expect(stale).rejects.toMatchObject({ name: 'ConflictError', data: { resourceVersion: updated.resourceVersion } });

    const { granted } = await client.acquire('a', { durationMs: 20_000, annotations: { by: 'me' } });
    const fencingToken = granted!.fencingToken;
    expect(await client.validate('a', { fencingToken })).toMatchObject({ valid: true });
    expect(await client.renew('a', { fencingToken })).toMatchObject({ durationMs: 20_000, remainingMs: 20_000 });
    const [good, bad] = await client.renewBatch([
      { name: 'a', fencingToken },
      { name: 'a', fencingToken: 5n },
    ]);
    expect(good?.renewed).toMatchObject({ durationMs: 20_000 });
    expect(bad?.error).toMatchObject({ name: 'LeaseLostError', data: { holder: client.holder, fencingToken } });
    expect((await granted!.setAnnotations({ by: undefined, where: 'here' })).annotations).toEqual({ where: 'here' });

    await expect(client.delete('a')).rejects.toMatchObject({ reason: 'LEASE_HELD' });
    expect(await client.release('a', { fencingToken })).toMatchObject({ alreadyReleased: false, lease: { state: 'AVAILABLE' } });
    expect(await client.release('a', { fencingToken })).toMatchObject({ alreadyReleased: true });
    expect(await client.delete('a')).toMatchObject({ lease: { name: 'a' }, reservedMs: undefined });
    await expect(client.get('a')).rejects.toBeInstanceOf(LeaseNotFoundError);
  });

  it('lists page by page, in its namespace or in all', async () => {
    const server = await serve();
    const client = clientOf(server.address);
    for (const name of ['a', 'b', 'c']) await client.create(name, { labels: { odd: String(name !== 'b') } });
    await client.create('d', { namespace: 'other' });

    const names = async (leases: AsyncIterable<Lease>) => (await collect(leases)).map(({ name }) => name);
    expect(await names(client.list({ pageSize: 2 }))).toEqual(['a', 'b', 'c']);
    expect(await names(client.list({ allNamespaces: true }))).toEqual(['a', 'b', 'c', 'd']);
    expect(await names(client.list({ labelSelector: 'odd=true' }))).toEqual(['a', 'c']);
    const pages = await collect(client.listPages({ pageSize: 2 }));
    expect(pages.map(({ leases }) => leases.length)).toEqual([2, 1]);
    expect(new Set(pages.map(({ revision }) => revision)).size).toBe(1);
  });

  it('goes to the next endpoint where one does not answer', async () => {
    const dead = await serve();
    const server = await serve();
    await dead.drain();
    const client = clientOf('', { endpoints: [dead.address, server.address] });
    const lease = (await client.acquire('a', { durationMs: 4_000 })).granted!;
    await client.create('b');
    expect((await client.get('a')).holder).toBe(client.holder);
    await eventually(() => lease.remainingMs > 0 && lease.remainingMs < 3_000);
    await eventually(() => lease.remainingMs > 3_500);
  });

  it('gives up when no server answers in time', async () => {
    const dead = await serve();
    await dead.drain();
    const client = clientOf(dead.address, { timeoutMs: 300 });
    const calls = [client.ready(), client.get('a'), client.acquire('a'), client.create('a')];
    for (const call of await Promise.allSettled(calls)) {
      expect(call).toMatchObject({ status: 'rejected', reason: { name: 'UnavailableError', retryable: true } });
    }
  });

  it('gives up when it is told to, and leaves the queue', async () => {
    const server = await serve();
    const [one, two, three] = [clientOf(server.address), clientOf(server.address), clientOf(server.address)];
    const held = (await one.acquire('a')).granted!;
    const abort = new AbortController();
    const waiting = expect(two.acquire('a', { waitMs: 60_000, signal: abort.signal })).rejects.toThrow('enough');
    const next = three.acquire('a', { waitMs: 60_000 });
    abort.abort(new Error('enough'));
    await waiting;
    await held.release();
    expect((await next).granted?.holder).toBe(three.holder);
  });

  it('can be loaded by require', async () => {
    const script = "console.log(typeof require('@leasehold/sdk').createClient)";
    const { stdout, stderr } = await promisify(execFile)(process.execPath, ['--input-type=commonjs', '-e', script]);
    expect({ stdout, stderr }).toEqual({ stdout: 'function\n', stderr: '' });
  });
});

describe('a held lease on a real server', () => {
  it('outlives its duration for as long as it is held, and is free at once when released', async () => {
    const server = await serve();
    const client = clientOf(server.address);
    const lease = (await client.acquire('a', { durationMs: 1_500 })).granted!;
    await new Promise((resolve) => setTimeout(resolve, 2_500));
    lease.assertHeld();
    expect((await client.get('a')).state).toBe('HELD');
    await lease.release();
    expect((await client.get('a')).state).toBe('AVAILABLE');
  });

  it('is not lost when its connections are cut again and again', async () => {
    const server = await serve();
    const network = await FaultProxy.to(server.port);
    const client = clientOf(network.address);
    const lease = (await client.acquire('a', { durationMs: 3_000 })).granted!;
    for (let round = 0; round < 8; round += 1) {
      await new Promise((resolve) => setTimeout(resolve, 400));
      network.cut();
      lease.assertHeld();
    }
    await eventually(() => lease.remainingMs > 2_500);
    expect(lease.signal.aborted).toBe(false);
    expect(await clientOf(server.address).validate('a', { fencingToken: lease.fencingToken })).toMatchObject({ valid: true });
  });

  it('is not lost when its connection goes silent without being closed', async () => {
    const server = await serve();
    const network = await FaultProxy.to(server.port);
    const client = clientOf(network.address);
    const lease = (await client.acquire('a', { durationMs: 4_000, beatIntervalMs: 500 })).granted!;
    await eventually(() => network.connections > 1);
    network.silence();
    await new Promise((resolve) => setTimeout(resolve, 4_500));
    lease.assertHeld();
  });

  it('outlives a restart of the server, and so does a watch', async () => {
    const store = await storeFile();
    const first = await serve(store);
    const client = clientOf(first.address);
    const lease = (await client.acquire('a', { durationMs: 6_000 })).granted!;
    const watch = client.watch({ name: 'a' });
    await watch.ready();
    const seen: LeaseEvent[] = [];
    const watching = (async () => {
      for await (const event of watch) seen.push(event);
    })();

    await first.drain();
    const second = await serve(store, first.port);
    expect(await client.validate('a', { fencingToken: lease.fencingToken })).toMatchObject({ valid: true });
    await eventually(() => lease.remainingMs > 5_000);
    lease.assertHeld();
    await lease.setAnnotations({ since: 'restart' });
    await eventually(() => seen.length === 1);
    expect(seen[0]).toMatchObject({ type: 'UPDATED', lease: { fencingToken: lease.fencingToken } });
    watch.close();
    await watching;
    expect(second.port).toBe(first.port);
    await client.close();
  });

  it('is told of a revoke at once, and lets go so that the next one need not wait', async () => {
    const server = await serve();
    const [one, two] = [clientOf(server.address), clientOf(server.address)];
    const lease = (await one.acquire('a', { durationMs: 60_000 })).granted!;
    const revoked = await two.revoke('a', { fencingToken: lease.fencingToken });
    expect(revoked.remainingMs).toBeGreaterThan(50_000);
    await eventually(() => lease.signal.aborted);
    expect(lease.signal.reason).toMatchObject({ reason: 'LEASE_REVOKED' });
    expect((await two.acquire('a')).busy).toBeDefined();
    await lease.release();
    expect((await two.acquire('a', { waitMs: 5_000 })).granted?.fencingToken).toBeGreaterThan(lease.fencingToken);
  });

  it('is handed over to the waiter that is named', async () => {
    const server = await serve();
    const [one, two, three] = ['one', 'two', 'three'].map((holder) => clientOf(server.address, { holder }));
    const lease = (await one!.acquire('a')).granted!;
    await expect(lease.transfer('three')).rejects.toMatchObject({ name: 'RefusedError', reason: 'NOT_WAITING' });
    lease.assertHeld();
    const second = two!.acquire('a', { waitMs: 20_000 });
    const third = three!.acquire('a', { waitMs: 20_000 });
    await eventually(async () => {
      try {
        await lease.transfer('three');
        return true;
      } catch {
        return false;
      }
    });
    const { granted } = await third;
    expect(granted?.holder).toBe('three');
    await granted?.release();
    expect((await second).granted?.holder).toBe('two');
  });
});

describe('an election on a real server', () => {
  it('hands over in order, with rising tokens and never two at once', async () => {
    const server = await serve();
    const terms: { holder: string; token: bigint; until: Promise<void> }[] = [];
    let leading = 0;
    let most = 0;
    const candidates = ['one', 'two', 'three'].map((holder) => {
      const client = clientOf(server.address, { holder });
      const stop = new AbortController();
      const elected = client.elect(
        'leader',
        { leaseDurationMs: 6_000 },
        async (term) => {
          leading += 1;
          most = Math.max(most, leading);
          const until = new Promise<void>((resolve) => {
            term.signal.addEventListener('abort', () => {
              resolve();
            });
          });
          terms.push({ holder, token: term.fencingToken, until });
          await until;
          term.lease.assertHeld();
          leading -= 1;
        },
        { signal: stop.signal },
      );
      return { holder, stop, elected };
    });
    for (let round = 1; round <= 3; round += 1) {
      await eventually(() => terms.length === round);
      const leader = candidates.find(({ holder }) => holder === terms.at(-1)?.holder);
      leader?.stop.abort();
      await leader?.elected;
    }
    expect(most).toBe(1);
    expect(new Set(terms.map(({ holder }) => holder)).size).toBe(3);
    const tokens = terms.map(({ token }) => token);
    expect(tokens).toEqual([...tokens].sort((left, right) => (left < right ? -1 : 1)));
  });

  it('outlives a restart of the server: the leader leads on and the standby keeps waiting', async () => {
    const store = await storeFile();
    const first = await serve(store);
    const tokens: bigint[] = [];
    const follow = (holder: string) => {
      const client = clientOf(first.address, { holder });
      const elected = client.elect('leader', { leaseDurationMs: 6_000 }, async (term) => {
        tokens.push(term.fencingToken);
        await new Promise((resolve) => {
          term.signal.addEventListener('abort', resolve);
        });
      });
      return { client, elected };
    };
    const one = follow('one');
    await eventually(() => tokens.length === 1);
    const two = follow('two');
    await first.drain();
    await serve(store, first.port);
    const operator = clientOf(first.address);
    await operator.ready();
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    expect(tokens).toHaveLength(1);
    await operator.revoke('leader', { fencingToken: tokens[0]! });
    await eventually(() => tokens.length === 2);
    expect(tokens[1]).toBeGreaterThan(tokens[0]!);
    await Promise.all([one, two].map(({ client }) => client.close()));
    await Promise.all([one, two].map(({ elected }) => elected));
  });
});

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}
