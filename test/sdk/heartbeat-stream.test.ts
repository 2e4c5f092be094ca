import { createClient, RefusedError, type Client, type HeldLease, type LeaseholdError } from '@leasehold/sdk';
import { FakeClock, settle } from '@leasehold/sdk/testing';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { FakeTransport, unavailable } from './support/fake-transport.js';

let clock: FakeClock;
let transport: FakeTransport;
let client: Client;

beforeEach(() => {
  clock = new FakeClock();
  transport = new FakeTransport();
  client = createClient({ transport, clock, holder: 'me' });
  onTestFinished(() => client.close({ release: false }));
});

/** Acquires `x` for 9 s, which beats each 3 s. */
async function hold(): Promise<HeldLease> {
  const { granted } = await client.acquire('x', { durationMs: 9_000 });
  await settle();
  return granted!;
}

describe('the heartbeat of a client', () => {
  it('carries all its leases on one stream, those of one interval in one message', async () => {
    for (const name of ['a', 'b', 'c']) await client.acquire(name, { durationMs: 9_000 });
    await settle();
    await clock.advance(3_000);
    expect(transport.streams).toHaveLength(1);
    expect(transport.stream.messages.at(-1)?.handles).toEqual([1, 2, 3]);
  });

  it('opens another stream after a failure and attaches every lease to it', async () => {
    const lease = await hold();
    await client.acquire('y', { durationMs: 9_000 });
    await settle();
    transport.stream.fail();
    await clock.advance(100);
    expect(transport.streams).toHaveLength(2);
    expect(transport.stream.messages[0]?.attach.map(({ name }) => name)).toEqual(['x', 'y']);
    await clock.advance(30_000);
    expect(lease.status).toBe('held');
  });

  it('gives up a stream that leaves a beat unanswered, long before the lease is over', async () => {
    const lease = await hold();
    transport.answers = false;
    await clock.advance(6_000);
    transport.answers = true;
    await clock.advance(500);
    expect(transport.streams[0]?.closed).toBe(true);
    expect(transport.streams).toHaveLength(2);
    await clock.advance(20_000);
    expect(lease.status).toBe('held');
  });

  it('attaches a lease anew that another server has taken over, as by an attach that was late', async () => {
    const lease = await hold();
    const { fencingToken } = lease;
    transport.stream.answer({ lost: [{ handle: 1, reason: 'MOVED', holder: 'me', fencingToken, graceMs: undefined }] });
    await clock.advance(3_000);
    expect(transport.stream.messages.at(-1)?.attach).toMatchObject([{ name: 'x', fencingToken }]);
    await clock.advance(30_000);
    expect(lease.status).toBe('held');
    expect(transport.streams).toHaveLength(1);
  });

  it('backs off while no stream can be opened', async () => {
    await hold();
    for (let round = 0; round < 6; round += 1) {
      transport.stream.fail();
      await clock.advance(1_000);
    }
    expect(transport.streams.length).toBeLessThanOrEqual(7);
    expect(transport.streams.length).toBeGreaterThan(4);
  });

  it('attaches soon again what could not be attached in an outage, each time later, up to half a beat', async () => {
    const lease = await holdRefused(unavailable());
    expect(await attachesWithin(2_900, unavailable())).toEqual([25, 75, 175, 375, 775, 1_525, 2_275]);
    transport.answers = true;
    await clock.advance(1_500);
    expect(lease.remainingMs).toBeGreaterThan(8_820 - 1_500);
  });

  it('counts outages anew once everything is attached', async () => {
    await holdRefused(unavailable());
    await attachesWithin(1_000, unavailable());
    transport.answers = true;
    await clock.advance(1_000);
    transport.answers = false;
    await client.acquire('y', { durationMs: 9_000 });
    await settle();
    transport.stream.refuse(unavailable());
    expect(await attachesWithin(100, unavailable())).toEqual([25, 75]);
  });

  it('leaves a limit in peace until the next beat', async () => {
    const limit = new RefusedError({ code: 'RESOURCE_EXHAUSTED', reason: 'LIMIT_EXCEEDED', message: 'full' });
    const lease = await holdRefused(limit);
    expect(await attachesWithin(3_000, limit)).toEqual([3_000]);
    expect(lease.status).toBe('held');
  });

  it('attaches a lease no more that was given up in an outage', async () => {
    const lease = await holdRefused(unavailable());
    await lease.release();
    expect(await attachesWithin(3_000, unavailable())).toEqual([]);
  });
});

/** A lease whose first attach is refused. */
async function holdRefused(error: LeaseholdError): Promise<HeldLease> {
  transport.answers = false;
  const lease = await hold();
  transport.stream.refuse(error);
  return lease;
}

/** When attaches come in, which are refused, in milliseconds from now. */
async function attachesWithin(ms: number, error: LeaseholdError): Promise<number[]> {
  const tries: number[] = [];
  let seen = transport.stream.messages.length;
  for (let atMs = 25; atMs <= ms; atMs += 25) {
    await clock.advance(25);
    const news = transport.stream.messages.slice(seen).filter(({ attach }) => attach.length > 0);
    seen = transport.stream.messages.length;
    for (const message of news) {
      tries.push(atMs);
      transport.stream.refuse(error, message);
    }
  }
  return tries;
}
