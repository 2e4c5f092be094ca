import { createClient, LeaseLostError, type Client, type HeldLease } from '@leasehold/sdk';
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

describe('acquire', () => {
  it('believes a grant without waiting from before the request was sent', async () => {
    transport.answers = false;
    transport.onAcquire = async (request) => {
      await clock.advance(2_000);
      return transport.grant(request);
    };
    const lease = await hold();
    expect(lease.remainingMs).toBeCloseTo(8_820 - 2_000, 6);
  });

  it('believes nothing of a grant that came after waiting, until the first beat is acknowledged', async () => {
    transport.answers = false;
    const acquired = client.acquire('x', { durationMs: 9_000, waitMs: 60_000 });
    let resolved = false;
    void acquired.then(() => (resolved = true));
    await settle();
    expect(transport.stream.messages).toHaveLength(1);
    expect(resolved).toBe(false);
    await clock.advance(300);
    transport.stream.answerAll();
    const { granted } = await acquired;
    expect(granted?.remainingMs).toBeCloseTo(8_820 - 300, 6);
  });

  it('gives a grant back whose first beat is never acknowledged', async () => {
    transport.answers = false;
    const acquired = expect(client.acquire('x', { waitMs: 1_000, timeoutMs: 4_000 })).rejects.toMatchObject({
      reason: 'TIMED_OUT',
    });
    await clock.advance(4_000);
    await acquired;
    expect(transport.releases).toMatchObject([{ fencingToken: 101n }]);
  });

  it('ignores a grant whose token is that of a tenure it has released or lost meanwhile', async () => {
    const first = await hold();
    let answer: () => void = () => undefined;
    transport.onAcquire = (request) =>
      new Promise((resolve) => {
        answer = () => {
          resolve(transport.grant(request, first.fencingToken));
        };
      });
    const second = client.acquire('x', { durationMs: 9_000 });
    await settle();
    await first.release();
    answer();
    await expect(second).rejects.toBeInstanceOf(LeaseLostError);
  });

  it('ignores such a grant of a later call too, and ends that tenure for good', async () => {
    const lease = await hold();
    transport.stream.lose('EXPIRED');
    transport.onAcquire = (request) => Promise.resolve(transport.grant(request, lease.fencingToken));
    await expect(client.acquire('x', { acquireId: 'a' })).rejects.toBeInstanceOf(LeaseLostError);
    await clock.advance(0);
    expect(transport.releases).toMatchObject([{ fencingToken: lease.fencingToken }]);
  });

  it('is the same held lease when the same tenure is granted again', async () => {
    const first = await hold();
    transport.onAcquire = (request) => Promise.resolve(transport.grant(request, first.fencingToken));
    expect(await hold()).toBe(first);
  });

  it('repeats itself under one id while no server answers', async () => {
    let failures = 2;
    transport.onAcquire = (request) =>
      failures-- > 0 ? Promise.reject(unavailable()) : Promise.resolve(transport.grant(request));
    const acquired = client.acquire('x');
    await clock.advance(1_000);
    expect((await acquired).granted?.status).toBe('held');
    expect(transport.acquires).toHaveLength(3);
    expect(new Set(transport.acquires.map(({ acquireId }) => acquireId)).size).toBe(1);
  });

  it('releases the old token first after a loss by the own clock, else it would be busy with itself', async () => {
    const lease = await hold();
    transport.answers = false;
    clock.suspend();
    await clock.advance(8_900);
    clock.resume();
    expect(lease.status).toBe('lost');
    await hold();
    expect(transport.releases).toMatchObject([{ fencingToken: lease.fencingToken }]);
    expect(transport.acquires).toHaveLength(2);
  });

  it('takes back what an aborted request may have been granted', async () => {
    const abort = new AbortController();
    transport.onAcquire = (request) => {
      transport.grant(request);
      transport.onAcquire = (again) => Promise.resolve(transport.grant(again, transport.lastToken));
      return new Promise(() => undefined);
    };
    const reason = new Error('enough');
    const acquired = expect(client.acquire('x', { signal: abort.signal })).rejects.toBe(reason);
    await settle();
    abort.abort(reason);
    await acquired;
    await settle();
    expect(transport.releases).toMatchObject([{ fencingToken: 101n }]);
    expect(transport.acquires[1]?.acquireId).toBe(transport.acquires[0]?.acquireId);
  });

  it('takes nothing back of a request without an id: the tenure may be that of another process of this name', async () => {
    const abort = new AbortController();
    transport.onAcquire = (request) => {
      transport.grant(request);
      return new Promise(() => undefined);
    };
    const acquiring = expect(client.acquire('x', { acquireId: '', signal: abort.signal })).rejects.toThrow('enough');
    abort.abort(new Error('enough'));
    await acquiring;
    await clock.advance(1_000);
    expect(transport.acquires).toHaveLength(1);
    expect(transport.releases).toEqual([]);
  });

  it('answers busy without holding anything', async () => {
    const busy = { holder: 'you', fencingToken: 7n, remainingMs: 100, timedOut: false };
    transport.onAcquire = () => Promise.resolve({ kind: 'busy', busy });
    expect(await client.acquire('x')).toEqual({ busy });
    expect(transport.streams).toEqual([]);
  });

  it.each([
    { durationMs: Number.NaN },
    { durationMs: 0 },
    { waitMs: -1 },
    { timeoutMs: Infinity },
    { lockDelayMs: Number.NaN },
    { beatIntervalMs: 8_000 },
    { durationMs: 1e300 },
    { priority: 1.5 },
    { priority: 2 ** 31 },
  ])('refuses %o before anything is sent', async (options) => {
    await expect(client.acquire('x', options)).rejects.toMatchObject({
      name: 'InvalidError',
      data: { field: Object.keys(options)[0] },
    });
    expect(transport.acquires).toEqual([]);
  });

  it('sends every place in the queue that an int32 can be', async () => {
    for (const priority of [-(2 ** 31), 0, 2 ** 31 - 1]) {
      await client.acquire('x', { priority });
      expect(transport.acquires.at(-1)).toMatchObject({ priority });
    }
  });
});

describe('calls about a tenure', () => {
  it.each([2n ** 63n, -1n, 5, '5'])('refuse %o as a fencing token', async (token) => {
    const tenure = { fencingToken: token as bigint };
    const calls = [
      client.renew('x', tenure),
      client.renewBatch([{ name: 'x', ...tenure }]),
      client.release('x', tenure),
      client.revoke('x', tenure),
      client.validate('x', tenure),
      client.reattach('x', tenure),
      client.update('x', tenure),
      client.delete('x', tenure),
    ];
    const refusal = { name: 'InvalidError', data: { field: 'fencingToken' } };
    await Promise.all(calls.map((call) => expect(call).rejects.toMatchObject(refusal)));
    await expect(client.delete('x', { resourceVersion: token as bigint })).rejects.toThrow('Invalid resourceVersion');
  });
});
