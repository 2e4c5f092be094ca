import { UnavailableError, type Client, type HeldLease } from '@leasehold/sdk';
import { FakeClock, TestLink, TestServer, type TestClientOptions } from '@leasehold/sdk/testing';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';

it('lets a test of an election do without waiting', async () => {
  await using server = await TestServer.start();
  const link = new TestLink();
  const leaders: string[] = [];
  const elect = (client: Client) =>
    client.elect('job', {}, async (term) => {
      leaders.push(client.holder);
      await new Promise((resolve) => {
        term.signal.addEventListener('abort', resolve);
      });
    });
  void elect(server.client({ holder: 'one', link }));
  void elect(server.client({ holder: 'two' }));
  await server.clock.advance(1_000);
  expect(leaders).toEqual(['one']);
  link.cut();
  await server.clock.advance(15_000);
  expect(leaders).toEqual(['one', 'two']);
});

let server: TestServer;
let clock: FakeClock;

beforeEach(async () => {
  clock = new FakeClock();
  server = await TestServer.start({ clock });
  onTestFinished(() => server.close());
});

/** Acquires `x` for 15 s, which beats each 5 s. */
async function hold(options: TestClientOptions = {}): Promise<HeldLease> {
  const { granted } = await server.client({ holder: 'me', ...options }).acquire('x');
  await clock.advance(0);
  return granted!;
}

/** Who holds `x`, as somebody else sees it. */
async function holder(): Promise<string> {
  const lease = await server.client().get('x');
  return lease.state === 'HELD' ? lease.holder : '';
}

/** What becomes of a call, and when, counted from now. */
function track(call: Promise<unknown>): { outcome: string; atMs: number } {
  const startMs = clock.monotonicMs();
  const tracked = { outcome: 'pending', atMs: NaN };
  const end = (outcome: string): void => {
    Object.assign(tracked, { outcome, atMs: clock.monotonicMs() - startMs });
  };
  call.then(
    () => {
      end('done');
    },
    (error: unknown) => {
      end(error instanceof UnavailableError ? error.code : String(error));
    },
  );
  return tracked;
}

/** A request that goes to the head of the queue. */
const queued = { namespace: 'default', name: 'x', acquireId: '', durationMs: 15_000, waitMs: 60_000, priority: 1 };

describe('a client of a test server', () => {
  it('needs no time for what needs none', async () => {
    const before = clock.monotonicMs();
    const lease = await hold();
    await lease.setAnnotations({ address: 'here' });
    expect(await server.client().get('x')).toMatchObject({ state: 'HELD', holder: 'me', annotations: { address: 'here' } });
    await lease.release();
    expect(await holder()).toBe('');
    expect(clock.monotonicMs()).toBe(before);
  });

  it('keeps its lease alive for as long as time passes', async () => {
    const lease = await hold();
    await clock.advance(600_000);
    lease.assertHeld();
    expect(await holder()).toBe('me');
  });

  it('waits in the queue, and is granted the moment the lease is free', async () => {
    const lease = await hold();
    const won = track(server.client({ holder: 'you' }).acquire('x', { waitMs: 60_000 }));
    await clock.advance(20_000);
    expect(won.outcome).toBe('pending');
    await lease.release();
    await clock.advance(0);
    expect(won).toEqual({ outcome: 'done', atMs: 20_000 });
    expect(await holder()).toBe('you');
  });

  it('leaves the queue when its wait runs out, or its signal aborts', async () => {
    const lease = await hold();
    const { busy } = await Promise.all([
      server.client({ holder: 'patient' }).acquire('x', { waitMs: 5_000 }),
      clock.advance(5_000),
    ]).then(([outcome]) => outcome);
    expect(busy).toMatchObject({ holder: 'me', timedOut: true });
    const abort = new AbortController();
    const given = track(server.client({ holder: 'hasty' }).acquire('x', { waitMs: 60_000, signal: abort.signal }));
    await clock.advance(1_000);
    abort.abort(new Error('enough'));
    await clock.advance(0);
    expect(given.outcome).toBe('Error: enough');
    await lease.release();
    await clock.advance(0);
    expect(await holder()).toBe('');
  });

  it('has a grant taken back when it is gone before the answer', async () => {
    const abort = new AbortController();
    const request = { ...queued, holder: 'gone', waitMs: 0 };
    const given = track(server.transport().acquire(request, { timeoutMs: 1_000, signal: abort.signal }));
    abort.abort(new Error('enough'));
    await clock.advance(0);
    expect(given.outcome).toBe('Error: enough');
    expect(await holder()).toBe('');
    expect((await server.client().get('x')).fencingToken).toBeGreaterThan(0n);
  });

  it('is not waited for by the server longer than its call may take', async () => {
    const link = new TestLink();
    const lease = await hold();
    const silenced = track(server.transport({ link }).acquire({ ...queued, holder: 'silenced' }, { timeoutMs: 2_000 }));
    const other = track(server.client({ holder: 'you' }).acquire('x', { waitMs: 60_000 }));
    await clock.advance(0);
    link.silence();
    await clock.advance(2_000);
    expect(silenced).toEqual({ outcome: 'DEADLINE_EXCEEDED', atMs: 2_000 });
    await lease.release();
    await clock.advance(0);
    expect(other.outcome).toBe('done');
  });

  it('watches', async () => {
    const watch = server.client().watch({ name: 'x' });
    await watch.ready();
    const lease = await hold();
    await lease.release();
    const types: string[] = [];
    for await (const { type } of watch) {
      types.push(type);
      if (types.length === 2) break;
    }
    expect(types).toEqual(['ACQUIRED', 'RELEASED']);
  });

  it('hears of a loss on its heartbeat stream', async () => {
    const lease = await hold();
    await server.client().revoke('x', { fencingToken: lease.fencingToken });
    await clock.advance(0);
    expect(lease.signal.reason).toMatchObject({ reason: 'LEASE_REVOKED' });
  });

  it('is closed with the server, which releases its leases', async () => {
    const lease = await hold();
    await server.close();
    expect(lease.status).toBe('lost');
    expect(clock.timers).toBe(0);
    await server.close();
  });
});

describe('a link', () => {
  it('that is cut fails what is under way and what comes, until it is restored; the lease lives on while it has time', async () => {
    const link = new TestLink();
    const lease = await hold({ link });
    const client = server.client({ link, timeoutMs: 2_000 });
    const waiting = track(server.client({ holder: 'you', link, timeoutMs: 100 }).acquire('x', { waitMs: 500 }));
    await clock.advance(100);
    link.cut();
    const call = track(client.get('x'));
    await clock.advance(2_000);
    expect(waiting.outcome).toBe('UNAVAILABLE');
    expect(call.outcome).toBe('UNAVAILABLE');
    await clock.advance(7_900);
    link.restore();
    await clock.advance(60_000);
    lease.assertHeld();
    expect((await client.get('x')).holder).toBe('me');
  });

  it('that stays cut costs the lease, first in the opinion of its holder, then in that of the server', async () => {
    const link = new TestLink();
    const lease = await hold({ link });
    link.cut();
    await clock.advance(14_700);
    expect([lease.status, await holder()]).toEqual(['lost', 'me']);
    await clock.advance(300);
    expect(await holder()).toBe('');
  });

  it('takes a waiter that was cut off out of the queue', async () => {
    const link = new TestLink();
    const lease = await hold();
    void server
      .client({ holder: 'cut off', link })
      .acquire('x', { waitMs: 60_000 })
      .catch(() => undefined);
    const other = track(server.client({ holder: 'you' }).acquire('x', { waitMs: 60_000 }));
    await clock.advance(100);
    link.cut();
    await lease.release();
    await clock.advance(0);
    expect(other.outcome).toBe('done');
    expect(await holder()).toBe('you');
  });

  it('that falls silent tells nobody: the client notices after 4 s, the server after 10 s', async () => {
    const link = new TestLink();
    const lease = await hold();
    const silenced = track(server.transport({ link }).acquire({ ...queued, holder: 'silenced' }, { timeoutMs: 65_000 }));
    const other = track(server.client({ holder: 'you' }).acquire('x', { waitMs: 60_000 }));
    await clock.advance(0);
    link.silence();
    await clock.advance(9_999);
    expect(silenced).toEqual({ outcome: 'UNAVAILABLE', atMs: 4_000 });
    await clock.advance(1);
    await lease.release();
    await clock.advance(0);
    expect(other.outcome).toBe('done');
  });

  it('that fell silent does not lose a lease when it is restored in time', async () => {
    const link = new TestLink();
    const lease = await hold({ link });
    link.silence();
    const call = track(server.client({ link, timeoutMs: 1_000 }).create('y'));
    await clock.advance(10_000);
    expect(call).toEqual({ outcome: 'DEADLINE_EXCEEDED', atMs: 1_000 });
    link.restore();
    await clock.advance(60_000);
    lease.assertHeld();
  });

  it('that is reset breaks connections and takes new ones', async () => {
    const link = new TestLink();
    const lease = await hold({ link });
    for (let round = 0; round < 20; round += 1) {
      link.reset();
      await clock.advance(3_000);
    }
    lease.assertHeld();
  });
});

describe('a server', () => {
  it('that is stopped and started again keeps its leases, and counts the time that was left', async () => {
    const lease = await hold();
    await clock.advance(14_000);
    await server.stop();
    expect(track(server.client({ timeoutMs: 10 }).get('x'))).toMatchObject({ outcome: 'pending' });
    await clock.advance(2_000);
    await server.restart();
    await clock.advance(60_000);
    lease.assertHeld();
    expect(await holder()).toBe('me');
  });

  it('that crashes loses what it knew from memory: it counts every lease in full', async () => {
    const gone = new TestLink();
    await hold({ link: gone });
    gone.cut();
    await clock.advance(14_000);
    server.crash();
    await server.restart();
    await clock.advance(14_000);
    expect(await holder()).toBe('me');
    await clock.advance(1_000);
    expect(await holder()).toBe('');
  });

  it('that was stopped in order knows how much time was left', async () => {
    const gone = new TestLink();
    await hold({ link: gone });
    gone.cut();
    await clock.advance(14_000);
    await server.stop();
    await server.restart();
    await clock.advance(1_000);
    expect(await holder()).toBe('');
  });

  it('answers nobody while it does not run', async () => {
    const client = server.client({ timeoutMs: 1_000 });
    server.crash();
    const call = track(client.get('x'));
    await clock.advance(1_000);
    expect(call.outcome).toBe('UNAVAILABLE');
    await server.restart();
    expect(track(client.create('x'))).toMatchObject({ outcome: 'pending' });
    await clock.advance(0);
    expect((await client.get('x')).state).toBe('AVAILABLE');
  });

  it('that crashes takes no commit along that was not made', async () => {
    const created = track(server.client({ timeoutMs: 10 }).create('x'));
    server.crash();
    await clock.advance(10);
    expect(created.outcome).toBe('UNAVAILABLE');
    await server.restart();
    await expect(server.client().get('x')).rejects.toMatchObject({ reason: 'LEASE_NOT_FOUND' });
  });

  it('that is paused answers late, and does not expire what renewed meanwhile', async () => {
    const lease = await hold();
    await clock.advance(4_000);
    server.pause();
    const call = track(server.client({ timeoutMs: 60_000 }).get('x'));
    await clock.advance(9_000);
    expect(call.outcome).toBe('pending');
    server.resume();
    await clock.advance(0);
    expect(call.outcome).toBe('done');
    await clock.advance(60_000);
    lease.assertHeld();
  });
});

describe('a process of a client', () => {
  it('that is paused past its lease knows so at once when it goes on', async () => {
    const paused = clock.process();
    const lease = await hold({ clock: paused });
    paused.pause();
    await clock.advance(20_000);
    expect(await holder()).toBe('');
    paused.resume();
    expect(() => {
      lease.assertHeld();
    }).toThrow(/not renewed in time/);
    expect(lease.signal.aborted).toBe(true);
  });

  it('that is paused for a moment hears its answers late, and keeps its lease', async () => {
    const paused = clock.process();
    const lease = await hold({ clock: paused });
    await clock.advance(4_999);
    await paused.stall(5_000);
    lease.assertHeld();
    await clock.advance(60_000);
    lease.assertHeld();
  });

  it('that is killed holds nothing longer than its lease, and its clocks may differ', async () => {
    const slow = clock.process({ rate: 0.99, offsetMs: 3_600_000 });
    const lease = await hold({ clock: slow });
    await clock.advance(60_000);
    lease.assertHeld();
    slow.kill();
    await clock.advance(14_999);
    expect(await holder()).toBe('');
  });
});
