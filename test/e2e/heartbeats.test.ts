import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createClient } from '@leasehold/sdk';
import type { LeaseServiceClient } from '@leasehold/proto/leasehold/v1/lease_service';
import { describe, expect, it, onTestFinished } from 'vitest';
import { diskFaults, hasDiskFaults } from '../support/disk-faults.js';
import { HeartbeatStream } from '../support/heartbeats.js';
import { freePort, ServerProcess, temporaryDirectory } from '../support/server-process.js';
import { acquire, acquireRequest, grantOf, seconds, wireClient } from '../support/wire.js';

if (!hasDiskFaults && process.env['CI'] !== undefined) {
  throw new Error('CI has to have a C compiler');
}

/** Takes leases of these names, a few hundred at a time; resolves with what a stream attaches them by. */
async function grantAll(client: LeaseServiceClient, wanted: readonly string[], durationSeconds: number): Promise<Held[]> {
  const held: Held[] = [];
  for (let start = 0; start < wanted.length; start += 250) {
    const piece = wanted.slice(start, start + 250).map(async (name) => {
      const request = acquireRequest({ name, holder: name, duration: seconds(durationSeconds) });
      return { name, holder: name, fencingToken: await grantOf(acquire(client, request)) };
    });
    held.push(...(await Promise.all(piece)));
  }
  return held;
}

interface Held {
  readonly name: string;
  readonly holder: string;
  readonly fencingToken: bigint;
}

function names(prefix: string, count: number): string[] {
  return Array.from({ length: count }, (_, index) => `${prefix}-${index}`);
}

describe('heartbeats at scale', () => {
  it('keep 10,000 leases alive on one stream', async () => {
    const server = await ServerProcess.start();
    const client = wireClient(server.address);
    const held = await grantAll(client, names('node', 10_000), 30);
    const stream = new HeartbeatStream(wireClient(server.address));
    await stream.attach(held);
    expect(stream.handles).toHaveLength(10_000);
    for (let second = 0; second < 5; second++) {
      await stream.beat();
      await sleep(1_000);
    }
    expect(stream.losses).toEqual([]);
    expect(stream.exceptions).toEqual([]);
    const sdk = createClient({ endpoints: [server.address] });
    onTestFinished(() => sdk.close());
    expect(await sdk.get('node-0')).toMatchObject({ state: 'HELD' });
    expect(await sdk.get('node-9999')).toMatchObject({ state: 'HELD' });
    stream.end();
  }, 90_000);

  it('keep one lease alive on each of 2,000 streams', async () => {
    const server = await ServerProcess.start();
    const clients = Array.from({ length: 20 }, () => wireClient(server.address));
    const held = await grantAll(wireClient(server.address), names('agent', 2_000), 10);
    const streams = held.map((_, index) => new HeartbeatStream(clients[index % clients.length] ?? wireClient(server.address)));
    await Promise.all(streams.map((stream, index) => stream.attach(held.slice(index, index + 1))));
    for (let second = 0; second < 12; second++) {
      await Promise.all(streams.map((stream) => stream.beat([1])));
      await sleep(1_000);
    }
    expect(
      streams.filter(({ losses, exceptions, handles }) => losses.length + exceptions.length > 0 || handles.length !== 1),
    ).toEqual([]);
    clients.forEach((client) => {
      client.close();
    });
  }, 90_000);
});

describe('heartbeats and the disk', () => {
  it.skipIf(!hasDiskFaults)(
    'are answered while the disk stands still; none expires, none is renewed that was not beaten (needs a C compiler)',
    async () => {
      const directory = await temporaryDirectory();
      const file = join(directory, 'leases.db');
      const faults = diskFaults(file);
      onTestFinished(() => {
        faults.dispose();
      });
      const server = await ServerProcess.start({ store: `sqlite:${file}`, env: faults.env });
      const client = wireClient(server.address);
      const [beaten, idle] = await grantAll(client, ['beaten', 'idle'], 1.5);
      if (beaten === undefined || idle === undefined) {
        throw new Error('Two leases were asked for');
      }
      const stream = new HeartbeatStream(wireClient(server.address));
      await stream.attach([beaten, idle]);
      const [first = 0] = stream.handles;
      faults.stallSync(true);
      const stuck = acquire(client, acquireRequest({ name: 'stuck', holder: 'stuck' }));
      const slowest = { ms: 0 };
      for (let beat = 0; beat < 20; beat++) {
        const sentAt = performance.now();
        await stream.beat([first]);
        slowest.ms = Math.max(slowest.ms, performance.now() - sentAt);
        await sleep(100);
      }
      expect(slowest.ms).toBeLessThan(1_000);
      expect(stream.losses).toEqual([]);
      expect(faults.seen()).toBe(true);
      faults.stallSync(false);
      expect(await grantOf(stuck)).toBeGreaterThan(idle.fencingToken);
      await stream.beat([first]);
      const deadline = performance.now() + 5_000;
      while (stream.losses.length === 0 && performance.now() < deadline) {
        await stream.beat([first]);
        await sleep(50);
      }
      expect(stream.losses.map(({ handle }) => handle)).toEqual([stream.handles[1]]);
      stream.end();
    },
  );

  it.skipIf(!hasDiskFaults)(
    'stop being acknowledged when a commit has an unknown outcome, and go on when the store is open again (needs a C compiler)',
    async () => {
      const file = join(await temporaryDirectory(), 'leases.db');
      const faults = diskFaults(file);
      onTestFinished(() => {
        faults.dispose();
      });
      const server = await ServerProcess.start({ store: `sqlite:${file}`, env: faults.env });
      const sdk = createClient({ endpoints: [server.address] });
      onTestFinished(() => sdk.close());
      const { granted: kept } = await sdk.acquire('kept', { durationMs: 15_000 });
      const stream = new HeartbeatStream(wireClient(server.address));
      await stream.attach([{ name: 'kept', holder: kept?.holder ?? '', fencingToken: kept?.fencingToken ?? 0n }]);
      faults.failSync(true);
      await expect(sdk.create('doubtful')).rejects.toMatchObject({ code: 'UNAVAILABLE', reason: 'OUTCOME_UNKNOWN' });
      await expect(stream.beat()).rejects.toMatchObject({ code: 14 });
      await expect(sdk.get('kept', { timeoutMs: 500 })).rejects.toMatchObject({ code: 'UNAVAILABLE' });
      faults.failSync(false);
      expect(await sdk.get('kept', { timeoutMs: 10_000 })).toMatchObject({ state: 'HELD', fencingToken: kept?.fencingToken });
      await sleep(3_000);
      expect(kept?.status).toBe('held');
    },
  );

  it('lose no lease when the server is killed between a beat and its checkpoint', async () => {
    const store = `sqlite:${join(await temporaryDirectory(), 'leases.db')}`;
    const port = await freePort();
    let server = await ServerProcess.start({ store, port });
    const sdk = createClient({ endpoints: [server.address] });
    onTestFinished(() => sdk.close());
    const { granted: kept } = await sdk.acquire('kept', { durationMs: 6_000 });
    const renewedAt = (await sdk.get('kept')).renewTime;
    await sleep(4_000);
    expect((await sdk.get('kept')).renewTime).toEqual(renewedAt);
    await server.kill();
    server = await ServerProcess.start({ store, port });
    await sleep(3_000);
    expect(kept?.status).toBe('held');
    expect(await sdk.get('kept')).toMatchObject({ state: 'HELD', fencingToken: kept?.fencingToken });
  });
});
