import {
  createClient,
  InvalidError,
  LeaseExpiredError,
  LeaseLostError,
  LeaseSuspectError,
  RefusedError,
  type Client,
  type HeldLease,
} from '@leasehold/sdk';
import { FakeClock, settle } from '@leasehold/sdk/testing';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { FakeTransport, leaseOf, unavailable } from './support/fake-transport.js';

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

describe('a held lease', () => {
  it('keeps itself alive: attaches at once and beats each third of its duration', async () => {
    const lease = await hold();
    expect(transport.stream.messages[0]).toMatchObject({
      sequence: 1,
      attach: [{ namespace: 'default', name: 'x', holder: 'me', fencingToken: lease.fencingToken }],
    });
    await clock.advance(60_000);
    const beats = transport.stream.messages.slice(1);
    expect(beats).toHaveLength(20);
    expect(beats.every(({ handles }) => handles.length === 1 && handles[0] === 1)).toBe(true);
    expect(lease.status).toBe('held');
    lease.assertHeld();
  });

  it('counts from before the send, not from the acknowledgement', async () => {
    const lease = await hold();
    transport.answers = false;
    await clock.advance(3_000);
    await clock.advance(400);
    transport.stream.answer({ acknowledged: 2 });
    expect(lease.remainingMs).toBeCloseTo(9_000 * 0.98 - 400, 6);
  });

  it('aborts its signal two per cent before the server can give it away, when nothing is acknowledged', async () => {
    const lease = await hold();
    transport.answers = false;
    await clock.advance(8_819);
    expect(lease.signal.aborted).toBe(false);
    lease.assertHeld();
    await clock.advance(1);
    expect(lease.signal.aborted).toBe(true);
    expect(lease.signal.reason).toBeInstanceOf(LeaseExpiredError);
    expect(lease.status).toBe('lost');
    expect(lease.remainingMs).toBe(0);
    expect(() => {
      lease.assertHeld();
    }).toThrow(LeaseExpiredError);
  });

  it('is lost for good once its deadline has passed, though an acknowledgement comes late', async () => {
    const lease = await hold();
    transport.answers = false;
    const [stream] = transport.streams;
    await clock.advance(3_000);
    await clock.stall(6_000);
    stream!.answer({ acknowledged: 2 });
    expect(lease.status).toBe('lost');
  });

  it('looks at the clock, not at a timer: right also when every timer is late', async () => {
    const lease = await hold();
    transport.answers = false;
    clock.pause();
    await clock.advance(9_000);
    expect(() => {
      lease.assertHeld();
    }).toThrow(LeaseExpiredError);
    expect(lease.signal.aborted).toBe(true);
  });

  it('is lost when the machine was suspended, though the monotonic clock stood still', async () => {
    const lease = await hold();
    clock.suspend();
    await clock.advance(10_000);
    clock.resume();
    expect(() => {
      lease.assertHeld();
    }).toThrow(LeaseExpiredError);
  });

  it('is suspect after a jump of the wall clock, until a renewal that was sent after it is acknowledged', async () => {
    const lease = await hold();
    let told = 0;
    lease.onSuspect(() => {
      told += 1;
    });
    transport.answers = false;
    await clock.advance(500);
    clock.jumpWall(5_000);
    expect(lease.status).toBe('suspect');
    expect(() => {
      lease.assertHeld();
    }).toThrow(LeaseSuspectError);
    expect(lease.signal.aborted).toBe(false);
    await settle();
    expect(told).toBe(1);
    const beat = transport.stream.messages.at(-1)!;
    expect(beat.handles).toEqual([1]);
    transport.stream.answer({ acknowledged: beat.sequence });
    expect(lease.status).toBe('held');
    lease.assertHeld();
  });

  it('notices a jump of the wall clock by itself at the next beat', async () => {
    const lease = await hold();
    let told = 0;
    const off = lease.onSuspect(() => {
      told += 1;
    });
    clock.jumpWall(5_000);
    await clock.advance(3_000);
    expect(told).toBe(1);
    expect(lease.status).toBe('held');
    off();
    clock.jumpWall(5_000);
    await clock.advance(3_000);
    expect(told).toBe(1);
  });

  it('does not mind a jump back', async () => {
    const lease = await hold();
    clock.jumpWall(-3_600_000);
    expect(lease.status).toBe('held');
  });

  it('is lost when the server says so, with its reason', async () => {
    const lease = await hold();
    transport.stream.lose('REVOKED');
    expect(lease.status).toBe('lost');
    expect(lease.signal.reason).toMatchObject({ name: 'LeaseLostError', reason: 'LEASE_REVOKED' });
  });

  it('is to be finished, but still held and renewed, while the grace of a revoke runs', async () => {
    const lease = await hold();
    transport.stream.lose('REVOKED', 20_000);
    expect(lease.signal.aborted).toBe(true);
    await clock.advance(15_000);
    lease.assertHeld();
    transport.stream.lose('REVOKED');
    expect(lease.status).toBe('lost');
  });

  it('believes nothing of an acknowledgement that excepts it', async () => {
    const lease = await hold();
    transport.answers = false;
    await clock.advance(3_000);
    transport.stream.answer({ acknowledged: 2, excepted: [{ handle: 1, sequence: 2, refusal: 'ENDING' }] });
    expect(lease.remainingMs).toBeCloseTo(8_820 - 3_000, 6);
  });

  it('takes a duration that grew with the acknowledgement that grants it', async () => {
    const lease = await hold();
    transport.answers = false;
    await clock.advance(3_000);
    transport.stream.answer({ durations: [{ handle: 1, durationMs: 20_000 }], acknowledged: 2 });
    expect(lease.remainingMs).toBeCloseTo(19_600, 6);
  });

  it('is lost when its loss was pushed before the handle was known', async () => {
    transport.answers = false;
    const lease = await hold();
    transport.stream.lose('EXPIRED');
    expect(lease.status).toBe('held');
    transport.stream.answerAll();
    expect(lease.status).toBe('lost');
  });

  it('is lost when the server refuses to attach it for good', async () => {
    transport.answers = false;
    const lease = await hold();
    const over = new LeaseLostError({ code: 'FAILED_PRECONDITION', reason: 'LEASE_LOST', message: 'lost' });
    transport.stream.refuse(over);
    expect(lease.signal.reason).toBe(over);
  });

  it('is attached anew when the stream does not know it any more', async () => {
    const lease = await hold();
    transport.answers = false;
    await clock.advance(3_000);
    transport.stream.answer({ acknowledged: 2, excepted: [{ handle: 1, sequence: 2, refusal: 'NOT_ATTACHED' }] });
    transport.answers = true;
    await clock.advance(3_000);
    expect(transport.stream.messages.at(-1)?.attach).toHaveLength(1);
    expect(lease.remainingMs).toBeCloseTo(8_820, 6);
  });
});

describe('release', () => {
  it('aborts the signal before the server is told, and tells it once', async () => {
    const lease = await hold();
    const order: string[] = [];
    lease.signal.addEventListener('abort', () => order.push('aborted'));
    transport.onRelease = (request) => {
      order.push('released');
      return Promise.resolve({ lease: leaseOf(request), alreadyReleased: false });
    };
    await Promise.all([lease.release(), lease.release()]);
    expect(order).toEqual(['aborted', 'released']);
    expect(transport.releases).toMatchObject([{ fencingToken: lease.fencingToken, transferTo: '' }]);
    expect(transport.stream.messages.at(-1)?.detach).toEqual([1]);
  });

  it('of a lease that the server has ended says nothing more to it', async () => {
    const lease = await hold();
    transport.stream.lose('EXPIRED');
    await lease.release();
    expect(transport.releases).toEqual([]);
  });

  it('of a lease that was lost by the own clock still tells the server', async () => {
    const lease = await hold();
    clock.suspend();
    await clock.advance(10_000);
    clock.resume();
    expect(lease.status).toBe('lost');
    await lease.release();
    expect(transport.releases).toHaveLength(1);
  });

  it('is repeated while no server answers, and given up when its time is over', async () => {
    const lease = await hold();
    const { onRelease } = transport;
    transport.onRelease = () => Promise.reject(unavailable());
    const released = expect(lease.release({ timeoutMs: 2_000 })).rejects.toThrow(/no server/);
    await clock.advance(2_000);
    await released;
    const attempts = transport.releases.length;
    expect(attempts).toBeGreaterThan(3);
    transport.onRelease = onRelease;
    await lease.release();
    expect(transport.releases).toHaveLength(attempts + 1);
  });
});

describe('transfer', () => {
  it('hands over, after which the lease is lost', async () => {
    const lease = await hold();
    let statusMeanwhile = '';
    transport.onRelease = (request) => {
      statusMeanwhile = lease.status;
      return Promise.resolve({ lease: leaseOf(request), alreadyReleased: false });
    };
    await lease.transfer('you');
    expect(transport.releases).toMatchObject([{ transferTo: 'you' }]);
    expect(statusMeanwhile).toBe('suspect');
    expect(lease.signal.reason).toMatchObject({ reason: 'TRANSFERRED' });
    await lease.release();
    expect(transport.releases).toHaveLength(1);
  });

  it('to somebody who does not wait leaves the lease held', async () => {
    const lease = await hold();
    const nobody = new RefusedError({ code: 'FAILED_PRECONDITION', reason: 'NOT_WAITING', message: 'nobody' });
    transport.onRelease = () => Promise.reject(nobody);
    await expect(lease.transfer('you')).rejects.toBe(nobody);
    lease.assertHeld();
    expect(lease.signal.aborted).toBe(false);
  });

  it('to nobody of no name, or one that never began, leaves it held', async () => {
    const lease = await hold();
    transport.onRelease = () =>
      Promise.reject(new InvalidError({ code: 'INVALID_ARGUMENT', reason: 'INVALID_FIELD', message: 'too long' }));
    await expect(lease.transfer('')).rejects.toBeInstanceOf(InvalidError);
    await expect(lease.transfer('z'.repeat(600))).rejects.toBeInstanceOf(InvalidError);
    await expect(lease.transfer('two', { signal: AbortSignal.abort(new Error('enough')) })).rejects.toThrow('enough');
    lease.assertHeld();
  });
});

describe('close', () => {
  it('releases what is held, rejects what waits, and leaves no timer behind', async () => {
    const lease = await hold();
    const busy = { holder: 'you', fencingToken: 7n, remainingMs: 100, timedOut: false };
    transport.onAcquire = () => new Promise(() => undefined);
    const waiting = expect(client.acquire('y', { waitMs: 60_000 })).rejects.toMatchObject({ reason: 'CLIENT_CLOSED' });
    await settle();
    transport.onAcquire = () => Promise.resolve({ kind: 'busy', busy });
    await client.close();
    await waiting;
    expect(lease.status).toBe('lost');
    expect(transport.releases).toHaveLength(1);
    expect(transport.stream.closed).toBe(true);
    expect(clock.timers).toBe(0);
    await expect(client.get('x')).rejects.toMatchObject({ name: 'ClientClosedError' });
  });

  it('can leave the leases to run out by themselves', async () => {
    const lease = await hold();
    await client.close({ release: false });
    expect(lease.status).toBe('lost');
    expect(transport.releases).toEqual([]);
  });
});
