import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises';
import { startCoordinator } from '@leasehold/core';
import { systemClock, type Lease, type LeaseEvent, type transport, type Transport, WatchExpiredError } from '@leasehold/sdk';
import { FakeClock } from '@leasehold/sdk/testing';
import { parseOptions, startServer } from '@leasehold/server';
import { describe, expect, it, onTestFinished } from 'vitest';
import { GrpcTransport } from '../../sdk/dist/transport/grpc.js';
import { PooledConnection } from '../../sdk/dist/transport/pooled-connection.js';
import { FaultProxy } from '../support/fault-proxy.js';
import { clientOf, eventually, serve } from './support/server.js';

/** Two ways to one server, so that what moves from one to the other finds the same leases. */
async function twoWays(): Promise<{ first: FaultProxy; second: FaultProxy; port: number; endpoints: string[] }> {
  const { port } = await serve();
  const [first, second] = [await FaultProxy.to(port), await FaultProxy.to(port)];
  return { first, second, port, endpoints: [first.address, second.address] };
}

describe('a server that takes requests and answers none', () => {
  it('leaves a call that can be repeated the time to ask another one', async () => {
    const { first, second, endpoints } = await twoWays();
    const client = clientOf('', { endpoints });
    await client.create('a');
    expect(second.connections).toBe(0);
    first.partition();
    // Less than keepalive takes to notice.
    const options = { timeoutMs: 2_400 };
    expect((await client.get('a', options)).name).toBe('a');
    expect((await client.acquire('a', options)).granted?.holder).toBe(client.holder);
  });

  it('is left by a call that is made once, too, as soon as that has failed', async () => {
    const { first, endpoints } = await twoWays();
    const client = clientOf('', { endpoints });
    await client.ready();
    first.partition();
    await expect(client.create('a', { timeoutMs: 500 })).rejects.toMatchObject({ name: 'UnavailableError' });
    await client.create('b', { timeoutMs: 500 });
  });

  it('is left by heartbeats before the lease is in danger', async () => {
    const { first, second, port, endpoints } = await twoWays();
    const client = clientOf('', { endpoints });
    const lease = (await client.acquire('a', { durationMs: 4_000, beatIntervalMs: 500 })).granted!;
    first.partition();
    await eventually(() => second.connections > 0);
    await sleep(4_500);
    lease.assertHeld();
    const { fencingToken } = lease;
    expect(await clientOf(`127.0.0.1:${port}`).validate('a', { fencingToken })).toMatchObject({ valid: true });
  });

  it('is left by a watch that hears nothing, without a gap', async () => {
    const { first, port, endpoints } = await twoWays();
    const watch = clientOf('', { endpoints }).watch();
    await watch.ready();
    const other = clientOf(`127.0.0.1:${port}`);
    first.partition();
    for (const name of ['a', 'b', 'c']) await other.create(name);
    expect(await take(watch, 3)).toEqual(['a', 'b', 'c']);
  });
});

describe('a connection that goes silent', () => {
  it('is noticed by an idle watch, though nothing was to be heard', async () => {
    const { port } = await serve();
    const proxy = await FaultProxy.to(port);
    const watch = clientOf(proxy.address).watch();
    await watch.ready();
    const taken = take(watch, 1);
    proxy.silence();
    await clientOf(`127.0.0.1:${port}`).create('a');
    const began = performance.now();
    expect(await taken).toEqual(['a']);
    // Silent for 2 s, asked for 1 s, and then connected anew.
    expect(performance.now() - began).toBeLessThan(8_000);
  });

  it('is noticed by a wait, which queues up again', async () => {
    const { port } = await serve();
    const proxy = await FaultProxy.to(port);
    const other = clientOf(`127.0.0.1:${port}`);
    const held = (await other.acquire('a')).granted!;
    const waiting = clientOf(proxy.address).acquire('a', { waitMs: 60_000 });
    await eventually(() => proxy.connections > 0);
    await sleep(200);
    proxy.silence();
    await sleep(4_000);
    await held.release();
    expect((await waiting).granted).toBeDefined();
  });

  it('is noticed by a call within its time', async () => {
    const { port } = await serve();
    const proxy = await FaultProxy.to(port);
    const client = clientOf(proxy.address);
    await client.create('a');
    proxy.silence();
    expect((await client.get('a', { timeoutMs: 5_000 })).name).toBe('a');
  });
});

describe('a server that drains', () => {
  it('is left for another one within a second, by calls, watches and heartbeats', async () => {
    const [one, two] = [await serve(), await serve()];
    const [first, second] = [await FaultProxy.to(one.port), await FaultProxy.to(two.port)];
    const client = clientOf('', { endpoints: [first.address, second.address] });
    const lease = (await client.acquire('a', { durationMs: 10_000 })).granted!;
    const watch = client.watch();
    await watch.ready();
    const moved = expect(take(watch, 1)).rejects.toBeInstanceOf(WatchExpiredError);
    expect(second.connections).toBe(0);

    const began = performance.now();
    const drained = one.drain();
    await client.create('b');
    // These two have stores of their own: that the other one knows nothing of them shows that they have come there.
    await moved;
    await eventually(() => lease.signal.aborted);
    expect(lease.signal.reason).toMatchObject({ reason: 'LEASE_NOT_FOUND' });
    expect(performance.now() - began).toBeLessThan(1_000);
    await drained;
  });
});

describe('a thousand waits that are cancelled at once', () => {
  it('take nobody with them: neither another wait, nor a watch', async () => {
    const { address, waits } = await countingServer();
    const transport = transportTo(address);
    const held = await transport.acquire(wait('holder', 0), call);
    const closing = new AbortController();
    const messages = transport.watch(everything, closing.signal)[Symbol.asyncIterator]();
    await messages.next();
    const kept = transport.acquire(wait('kept'), call);
    await eventually(() => waits.includes('kept'));
    await cancelMany(transport, waits, 1_500);
    // Who is cut off with them fails: a transport repeats nothing.
    await transport.release({ ...example, fencingToken: granted(held).fencingToken, transferTo: '' }, call);
    expect(granted(await kept).holder).toBe('kept');
    let message = await messages.next();
    while (message.done !== true && message.value.events.length === 0) message = await messages.next();
    expect(message.value).toMatchObject({ events: [{ type: 'RELEASED' }, { type: 'ACQUIRED' }] });
    closing.abort();
  });

  it('can be followed by as many others', async () => {
    const { address, waits } = await countingServer();
    const transport = transportTo(address);
    await transport.acquire(wait('holder', 0), call);
    for (let round = 1; round <= 3; round += 1) await cancelMany(transport, waits, 600);
  });
});

describe('a connection among several', () => {
  it('has no room for more streams than may be cancelled at once, nor for a while after they were', async () => {
    const clock = new FakeClock();
    const connection = new PooledConnection('a:1', undefined as never, clock);
    for (let stream = 0; stream < 900; stream += 1) {
      expect(connection.hasRoom).toBe(true);
      connection.enter();
    }
    expect(connection.hasRoom).toBe(false);
    connection.leave(false);
    expect(connection.hasRoom).toBe(true);
    for (let stream = 0; stream < 899; stream += 1) connection.leave(true);
    expect(connection.isIdle).toBe(true);
    connection.enter();
    expect(connection.hasRoom).toBe(false);
    await clock.advance(1_000);
    for (let stream = 0; stream < 30; stream += 1) {
      expect(connection.hasRoom).toBe(true);
      connection.enter();
    }
    expect(connection.hasRoom).toBe(false);
  });
});

async function take(watch: AsyncIterable<LeaseEvent>, count: number): Promise<string[]> {
  const names: string[] = [];
  for await (const { lease } of watch) {
    names.push(lease.name);
    if (names.length === count) break;
  }
  return names;
}

const example = { namespace: 'default', name: 'a' };
const everything = { namespace: '', name: '', labelSelector: '', fromRevision: 0n, includeRenewals: false };
const call = { timeoutMs: 25_000 };

function wait(holder: string, waitMs = 25_000): transport.AcquireRequest {
  return { ...example, holder, acquireId: '', durationMs: 60_000, waitMs, priority: 0 };
}

function granted(answer: transport.AcquireAnswer): Lease {
  if (answer.kind !== 'granted') throw new Error('was not granted');
  return answer.lease;
}

function transportTo(address: string): Transport {
  const transport = new GrpcTransport({ endpoints: [address], tls: undefined, token: undefined, clock: systemClock });
  onTestFinished(() => {
    transport.close();
  });
  return transport;
}

/**
 * Starts so many waits, and cancels them once the server has them all. Ten a turn, for a process that did nothing else for a
 * second would take its connections for dead.
 */
async function cancelMany(transport: Transport, waits: readonly string[], count: number): Promise<void> {
  const before = waits.length;
  const aborts: AbortController[] = [];
  const failures: Promise<unknown>[] = [];
  for (let at = 0; at < count; at += 1) {
    const abort = new AbortController();
    const cancelled = transport.acquire(wait(`cancelled-${before + at}`), { ...call, signal: abort.signal });
    failures.push(cancelled.catch((error: unknown) => error === abort.signal.reason));
    aborts.push(abort);
    if (at % 10 === 0) await turn();
  }
  await eventually(() => waits.length === before + count);
  for (const [at, abort] of aborts.entries()) {
    abort.abort(new Error('enough'));
    if (at % 10 === 0) await turn();
  }
  expect(new Set(await Promise.all(failures))).toEqual(new Set([true]));
}

/** A server that writes down the holders of waits, as they come to it. */
async function countingServer(): Promise<{ address: string; waits: string[] }> {
  const waits: string[] = [];
  const request = parseOptions(['--listen', '127.0.0.1:0', '--store', 'memory:', '--identity-lease', 'off'], {
    LEASEHOLD_HTTP_LISTEN: 'off',
  });
  if (request.kind !== 'serve') throw new Error('asked for help');
  const server = await startServer(request.options, {
    startCoordinator: async (options) => {
      const coordinator = await startCoordinator(options);
      const submit = coordinator.submit.bind(coordinator);
      coordinator.submit = (command, caller) => {
        if (command.kind === 'acquire' && command.waitMs > 0) waits.push(command.claim.holder);
        return submit(command, caller);
      };
      return coordinator;
    },
  });
  onTestFinished(() => server.drain());
  return { address: server.address, waits };
}
