import { createClient, RefusedError, type Client, type Term } from '@leasehold/sdk';
import { FakeClock, settle } from '@leasehold/sdk/testing';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { FakeTransport, leaseOf, unavailable } from '../support/fake-transport.js';

let clock: FakeClock;
let transport: FakeTransport;
let client: Client;
/** What happened, in order. */
let order: string[];

beforeEach(() => {
  clock = new FakeClock();
  transport = new FakeTransport();
  order = [];
  transport.onRelease = (request) => {
    order.push(`released ${request.fencingToken}`);
    return Promise.resolve({ lease: leaseOf(request), alreadyReleased: false });
  };
  client = createClient({ transport, clock, holder: 'me' });
  onTestFinished(() => client.close({ release: false }));
});

/** Works until it is told to stop, and a while longer. */
function worker(stopMs = 0): (term: Term) => Promise<void> {
  return async (term) => {
    order.push(`leads ${term.fencingToken}`);
    await new Promise<void>((resolve) => {
      term.signal.addEventListener('abort', () => {
        order.push('told to stop');
        if (stopMs === 0) resolve();
        else clock.after(stopMs, resolve);
      });
    });
    order.push('stopped');
  };
}

describe('elect', () => {
  it('waits in the queue, leads, and is done when the work is', async () => {
    await client.elect('x', { priority: 3 }, async (term) => {
      term.assertHeld();
      order.push(`leads ${term.fencingToken}`);
    });
    expect(transport.acquires[0]).toMatchObject({ name: 'x', holder: 'me', priority: 3, durationMs: 15_000, waitMs: 3_600_000 });
    expect(order).toEqual(['leads 101', 'released 101']);
  });

  it('stops in order: the signal aborts, the work is awaited, the lease is released', async () => {
    const stop = new AbortController();
    const elected = client.elect('x', {}, worker(1_000), { signal: stop.signal });
    await settle();
    stop.abort();
    await clock.advance(999);
    expect(order).toEqual(['leads 101', 'told to stop']);
    await clock.advance(1);
    await elected;
    expect(order).toEqual(['leads 101', 'told to stop', 'stopped', 'released 101']);
  });

  it('stops at the renew deadline while the lease has time left, and campaigns again', async () => {
    const elected = client.elect('x', {}, worker(2_000));
    await settle();
    transport.answers = false;
    await clock.advance(9_999);
    expect(order).toEqual(['leads 101']);
    await clock.advance(1);
    expect(order.at(-1)).toBe('told to stop');
    transport.answers = true;
    await clock.advance(2_000);
    expect(order).toEqual(['leads 101', 'told to stop', 'stopped', 'released 101', 'leads 102']);
    const closed = client.close();
    await clock.advance(2_000);
    await closed;
    await elected;
  });

  it('releases work that does not stop in time, but does not lead again before it has stopped', async () => {
    const errors: string[] = [];
    const elected = client.elect('x', { onError: (error) => errors.push(error.message) }, worker(60_000));
    await settle();
    transport.answers = false;
    await clock.advance(14_701);
    expect(order).toEqual(['leads 101', 'told to stop', 'released 101']);
    expect(errors.join()).toMatch(/did not stop/);
    transport.answers = true;
    await clock.advance(55_000);
    expect(order.slice(3)).toEqual([]);
    await clock.advance(1_000);
    expect(order.slice(3)).toEqual(['stopped', 'leads 102']);
    const failed = expect(elected).rejects.toMatchObject({ reason: 'WORK_OVERRAN' });
    const closed = client.close();
    await clock.advance(20_000);
    await closed;
    await failed;
  });

  it('campaigns again after a loss that the server pushes', async () => {
    const elected = client.elect('x', {}, worker());
    await settle();
    transport.stream.lose('EXPIRED');
    await clock.advance(100);
    expect(order).toEqual(['leads 101', 'told to stop', 'stopped', 'leads 102']);
    await client.close();
    await elected;
  });

  it('ends with what the work throws, after the release', async () => {
    const failure = new Error('the work failed');
    await expect(client.elect('x', {}, () => Promise.reject(failure))).rejects.toBe(failure);
    expect(order).toEqual(['released 101']);
  });

  it('takes what the signal made the work throw for stopping', async () => {
    const stop = new AbortController();
    const obedient = (term: Term) =>
      new Promise<void>((_, reject) => {
        term.signal.addEventListener('abort', () => {
          reject(term.signal.reason as Error);
        });
      });
    const elected = client.elect('x', {}, obedient, { signal: stop.signal });
    await settle();
    stop.abort();
    await elected;
    expect(order).toEqual(['released 101']);
  });

  it('goes on campaigning under one id while no server answers, and reports each failure', async () => {
    let failures = 3;
    transport.onAcquire = (request) =>
      failures-- > 0 ? Promise.reject(unavailable()) : Promise.resolve(transport.grant(request));
    const elected = client.elect('x', {}, async () => {
      order.push('leads');
    });
    await clock.advance(5_000);
    await elected;
    expect(order[0]).toBe('leads');
    expect(new Set(transport.acquires.map(({ acquireId }) => acquireId)).size).toBe(1);
  });

  it('ends when it is stopped while it waits', async () => {
    const stop = new AbortController();
    transport.onAcquire = () => new Promise(() => undefined);
    const elected = client.elect('x', {}, worker(), { signal: stop.signal });
    await settle();
    stop.abort();
    await elected;
    expect(order).toEqual([]);
  });

  it('ends with a refusal that no repeat would mend', async () => {
    const refused = new RefusedError({ code: 'ABORTED', reason: 'REPLACED', message: 'another campaign' });
    transport.onAcquire = () => Promise.reject(refused);
    await expect(client.elect('x', {}, worker())).rejects.toBe(refused);
  });

  it('refuses timings that do not fit before anything is sent', async () => {
    await expect(client.elect('x', { leaseDurationMs: 1_000, renewDeadlineMs: 1_000 }, worker())).rejects.toThrow(/980 ms/);
    expect(transport.acquires).toEqual([]);
  });
});

describe('withLease', () => {
  it('runs the work under the lease and releases it', async () => {
    const result = await client.withLease('x', {}, async (lease) => {
      lease.assertHeld();
      return lease.fencingToken;
    });
    expect(result).toBe(101n);
    expect(order).toEqual(['released 101']);
  });

  it('is refused when somebody else has the lease', async () => {
    const busy = { holder: 'you', fencingToken: 7n, remainingMs: 100, timedOut: false };
    transport.onAcquire = () => Promise.resolve({ kind: 'busy', busy });
    const work = client.withLease('x', {}, () => Promise.resolve());
    await expect(work).rejects.toMatchObject({
      name: 'RefusedError',
      reason: 'LEASE_BUSY',
      data: { holder: 'you', fencingToken: 7n },
    });
  });

  it('rejects when the lease was lost before the work was done, once the work has stopped', async () => {
    const work = client.withLease('x', {}, async (lease) => {
      await new Promise((resolve) => {
        lease.signal.addEventListener('abort', resolve);
      });
      order.push('stopped');
      return 'too late';
    });
    await settle();
    transport.stream.lose('REVOKED');
    await expect(work).rejects.toMatchObject({ reason: 'LEASE_REVOKED' });
    expect(order).toEqual(['stopped', 'released 101']);
  });

  it('rejects when the server may give the lease away although the work goes on', async () => {
    const work = expect(client.withLease('x', { durationMs: 9_000 }, () => new Promise(() => undefined))).rejects.toMatchObject({
      name: 'LeaseExpiredError',
    });
    await settle();
    transport.answers = false;
    await clock.advance(9_000);
    await work;
  });

  it('passes on what the work throws', async () => {
    const failure = new Error('the work failed');
    await expect(client.withLease('x', {}, () => Promise.reject(failure))).rejects.toBe(failure);
    expect(order).toEqual(['released 101']);
  });
});
