import { LeaderElector, LeaseLostError } from '@leasehold/sdk';
import { TestLink, type TestServer } from '@leasehold/sdk/testing';
import { beforeEach, describe, expect, it } from 'vitest';
import { believers, Candidate, serve } from './support.js';

/**
 * The scenarios of client-go's own tests of its leader election (`tools/leaderelection/*_test.go`) in our terms, and those that it has
 * no test for. Names in brackets are those of its tests.
 */

let server: TestServer;

beforeEach(async () => {
  server = await serve();
});

const short = { leaseDurationMs: 3_000 };

describe('an attempt [TestTryAcquireOrRenew]', () => {
  it('acquires where there is no record', async () => {
    const one = await new Candidate(server, 'one').run();
    one.term!.assertHeld();
    expect(await server.client().get('x')).toMatchObject({ state: 'HELD', holder: 'one', transitions: 0 });
  });

  it('acquires where there is a record that nobody held', async () => {
    await server.client().create('x', { labels: { app: 'foo' } });
    const one = await new Candidate(server, 'one').run();
    expect(one.term).toBeDefined();
    expect((await server.client().get('x')).labels).toEqual({ app: 'foo' });
  });

  it("waits for as long as the holder's duration says, and not its own", async () => {
    const link = new TestLink();
    await new Candidate(server, 'one', { link, elector: short }).run();
    link.cut();
    const two = await new Candidate(server, 'two').run();
    await server.clock.advance(2_900);
    expect(two.term).toBeUndefined();
    await server.clock.advance(200);
    expect(two.term).toBeDefined();
  });

  it('acquires at once what was released', async () => {
    await (await new Candidate(server, 'one').run()).stop();
    const two = await new Candidate(server, 'two').run();
    expect(two.term).toBeDefined();
  });

  it('acquires at once what has expired before it came, without waiting for a duration of its own', async () => {
    const clock = server.clock.process();
    await server.client({ holder: 'one', clock }).acquire('x', { durationMs: 3_000 });
    clock.kill();
    await server.clock.advance(60_000);
    const two = await new Candidate(server, 'two').run();
    expect(two.term).toBeDefined();
  });

  it('acquires what was released, whatever the wall clocks say', async () => {
    const ahead = server.clock.process({ offsetMs: 3_600_000 });
    await (await new Candidate(server, 'one', { clock: ahead }).run()).stop();
    const behind = server.clock.process({ offsetMs: -3_600_000 });
    const two = await new Candidate(server, 'two', { clock: behind }).run();
    expect(two.term).toBeDefined();
  });

  it('stands by while another leads and renews', async () => {
    await new Candidate(server, 'one').run();
    const two = await new Candidate(server, 'two').run();
    await server.clock.advance(300_000);
    expect(two.log).toEqual([]);
  });

  it('renews what it holds: the same token, the same count of transitions', async () => {
    const one = await new Candidate(server, 'one').run();
    const before = await server.client().get('x');
    await server.clock.advance(60_000);
    const after = await server.client().get('x');
    expect(one.terms).toHaveLength(1);
    expect(after).toMatchObject({ fencingToken: before.fencingToken, transitions: 0, acquireTime: before.acquireTime });
    expect(after.renewTime!.getTime()).toBeGreaterThan(before.renewTime!.getTime());
  });
});

describe('a release', () => {
  it('clears the holder and keeps the count [TestReleaseLease]', async () => {
    await (await new Candidate(server, 'one').run()).stop();
    expect(await server.client().get('x')).toMatchObject({ state: 'AVAILABLE', holder: '', transitions: 0 });
  });

  it('is not kept from its end by somebody who writes the record meanwhile [TestReleaseRetriesOnConflict]', async () => {
    const one = await new Candidate(server, 'one').run();
    const other = server.client();
    const writes = [1, 2, 3].map((step) => other.update('x', { annotations: { step: `${step}` } }));
    await one.stop();
    await Promise.all(writes);
    expect((await other.get('x')).state).toBe('AVAILABLE');
  });

  it.each([0, 1, 2, 3])(
    'comes after a stop in any moment of the acquiring: turn %i [TestReleaseOnCancellation]',
    async (turn) => {
      const one = new Candidate(server, 'one');
      const stop = new AbortController();
      const run = one.elector.run(one, { signal: stop.signal });
      for (let passed = 0; passed < turn; passed += 1) await Promise.resolve();
      stop.abort();
      await run;
      await server.clock.advance(1_000);
      const two = await new Candidate(server, 'two').run();
      await server.clock.advance(0);
      expect(two.term).toBeDefined();
    },
  );
});

describe('the health check [HealthzAdaptor]', () => {
  it('is well for a standby, though the leader it saw is long gone', async () => {
    const link = new TestLink();
    const clock = server.clock.process();
    await new Candidate(server, 'one', { clock }).run();
    clock.kill();
    const two = await new Candidate(server, 'two', { link }).run();
    link.cut();
    await server.clock.advance(600_000);
    expect(() => two.elector.check()).not.toThrow();
  });

  it('is well for a leader that renews, and for one that is about to stop', async () => {
    const link = new TestLink();
    const one = await new Candidate(server, 'one', { link }).run();
    one.stopMs = 20_000;
    expect(() => one.elector.check()).not.toThrow();
    link.cut();
    // The work is told to stop 10 s after the last beat, and its lease is over after 14.7 s.
    await server.clock.advance(14_000 + 19_000);
    expect(() => one.elector.check()).not.toThrow();
  });

  it('fails for a leader whose work goes on long after its lease', async () => {
    const link = new TestLink();
    const one = await new Candidate(server, 'one', { link }).run();
    one.stopMs = 100_000;
    link.cut();
    await server.clock.advance(14_700 + 19_000);
    expect(() => one.elector.check(10_000)).toThrow(/goes on \d+ ms after its lease was over/);
    expect(() => one.elector.check()).not.toThrow();
    await server.clock.advance(2_000);
    expect(() => one.elector.check()).toThrow(expect.objectContaining({ reason: 'WORK_OVERRAN' }));
    await server.clock.advance(100_000);
    expect(() => one.elector.check(0)).not.toThrow();
  });
});

describe('what client-go has no test for', () => {
  it('several candidates: one leads at a time, and each in its turn', async () => {
    const candidates = await Promise.all(['a', 'b', 'c', 'd', 'e'].map((holder) => new Candidate(server, holder).run()));
    const led = [];
    for (let turn = 0; turn < 5; turn += 1) {
      await server.clock.advance(0);
      const [leader, ...others] = believers(candidates);
      expect(others).toEqual([]);
      led.push(leader!.client.holder);
      await leader!.stop();
    }
    expect(led).toEqual(['a', 'b', 'c', 'd', 'e']);
  });

  it('wall clocks an hour apart, and one that jumps, disturb nothing', async () => {
    const clock = server.clock.process({ offsetMs: 3_600_000 });
    const one = await new Candidate(server, 'one', { clock }).run();
    const two = await new Candidate(server, 'two').run();
    for (const jumpMs of [-7_200_000, 3_600_000]) {
      clock.jumpWall(jumpMs);
      await server.clock.advance(30_000);
      expect(believers([one, two])).toEqual([one]);
    }
    expect(one.terms).toHaveLength(1);
  });

  it('a leader whose clock runs slow by 1 % stops before the server can grant another', async () => {
    const link = new TestLink();
    const one = await new Candidate(server, 'one', { link, clock: server.clock.process({ rate: 0.99 }) }).run();
    const two = await new Candidate(server, 'two').run();
    one.stopMs = 3_000;
    link.silence();
    for (let passed = 0; passed < 2_000 && two.term === undefined; passed += 1) {
      await server.clock.advance(10);
      expect(believers([one, two]).length).toBeLessThanOrEqual(1);
    }
    expect(two.term).toBeDefined();
    // The release is given up after the client's timeout.
    await server.clock.advance(5_000);
    expect(one.log).toEqual(['started', 'told to stop', 'work ended', 'stopped']);
  });

  it('a paused process does not believe when it wakes up, and its writes are refused', async () => {
    const clock = server.clock.process();
    const one = await new Candidate(server, 'one', { clock }).run();
    const two = await new Candidate(server, 'two').run();
    const term = one.term!;
    clock.pause();
    await server.clock.advance(20_000);
    expect(two.term).toBeDefined();
    // Its timers have not run yet: the look at the clocks alone decides.
    expect(() => term.assertHeld()).toThrow(expect.objectContaining({ name: 'LeaseExpiredError' }));
    expect(one.elector.isLeader()).toBe(false);
    expect(two.term!.fencingToken).toBeGreaterThan(term.fencingToken);
    expect(await server.client().validate('x', { fencingToken: term.fencingToken })).toMatchObject({ valid: false });
    clock.resume();
    await server.clock.advance(0);
    // Its connections have been given up by the server meanwhile, so that the release takes another one.
    await server.clock.advance(1_000);
    expect(one.log).toEqual(['started', 'told to stop', 'work ended', 'stopped']);
  });

  it('a suspended machine does not believe when it wakes up, though its monotonic clock stood still', async () => {
    const clock = server.clock.process();
    const one = await new Candidate(server, 'one', { clock }).run();
    const two = await new Candidate(server, 'two').run();
    clock.suspend();
    await server.clock.advance(20_000);
    clock.resume();
    await server.clock.advance(0);
    expect(believers([one, two])).toEqual([two]);
  });

  it.each(['cut', 'silence'] as const)(
    'a leader behind a partition (%s) stops, another leads, and it stands again',
    async (fault) => {
      const link = new TestLink();
      const one = await new Candidate(server, 'one', { link }).run();
      const two = await new Candidate(server, 'two').run();
      link[fault]();
      await server.clock.advance(9_900);
      expect(believers([one, two])).toEqual([one]);
      await server.clock.advance(200);
      expect(believers([one, two])).toEqual([]);
      await server.clock.advance(5_000);
      expect(believers([one, two])).toEqual([two]);
      link.restore();
      await server.clock.advance(20_000);
      await two.stop();
      await server.clock.advance(0);
      expect(believers([one, two])).toEqual([one]);
    },
  );

  it('a half-open connection that comes back in time costs nothing', async () => {
    const link = new TestLink();
    const one = await new Candidate(server, 'one', { link }).run();
    link.silence();
    await server.clock.advance(6_000);
    link.restore();
    await server.clock.advance(60_000);
    expect(one.terms).toHaveLength(1);
    expect(one.term).toBeDefined();
  });

  it('a win whose answer is lost is no obstacle', async () => {
    const link = new TestLink();
    const one = new Candidate(server, 'one', { link });
    const running = one.run();
    await Promise.resolve();
    link.reset();
    await running;
    await server.clock.advance(5_000);
    expect(one.term).toBeDefined();
  });

  it('a server that restarts takes the lease from nobody', async () => {
    const one = await new Candidate(server, 'one').run();
    const two = await new Candidate(server, 'two').run();
    for (let restart = 0; restart < 3; restart += 1) {
      server.crash();
      await server.clock.advance(5_000);
      await server.restart();
      await server.clock.advance(20_000);
      expect(believers([one, two])).toEqual([one]);
    }
    expect(one.terms).toHaveLength(1);
  });

  it('a slow server: the leader goes on while time is left, and stops when it is not', async () => {
    const one = await new Candidate(server, 'one').run();
    server.pause();
    await server.clock.advance(7_000);
    server.resume();
    await server.clock.advance(0);
    await server.clock.advance(20_000);
    expect(one.terms).toHaveLength(1);
    server.pause();
    await server.clock.advance(10_100);
    expect(one.term).toBeUndefined();
    server.resume();
    await server.clock.advance(0);
    await server.clock.advance(10_000);
    expect(one.terms).toHaveLength(2);
  });

  it('a fenced resource refuses the writes of a leader that was', async () => {
    let highest = 0n;
    const write = (token: bigint): boolean => token >= highest && ((highest = token), true);
    const clock = server.clock.process();
    const one = await new Candidate(server, 'one', { clock }).run();
    const two = await new Candidate(server, 'two').run();
    expect(write(one.term!.fencingToken)).toBe(true);
    // Stopped between its look at the lease and its write.
    const token = one.term!.fencingToken;
    clock.pause();
    await server.clock.advance(16_000);
    expect(write(two.term!.fencingToken)).toBe(true);
    expect(write(token)).toBe(false);
  });

  it('the failover takes the lease that is left, and after a release no time at all', async () => {
    const clock = server.clock.process();
    await new Candidate(server, 'one', { clock }).run();
    const two = await new Candidate(server, 'two').run();
    const three = await new Candidate(server, 'three').run();
    clock.kill();
    await server.clock.advance(14_990);
    expect(two.term).toBeUndefined();
    await server.clock.advance(100);
    expect(two.term).toBeDefined();
    await two.stop();
    await server.clock.advance(0);
    expect(three.term).toBeDefined();
  });

  it('a release that races a takeover changes nothing of the next tenure', async () => {
    const link = new TestLink();
    const one = await new Candidate(server, 'one', { link }).run();
    const two = await new Candidate(server, 'two').run();
    const { fencingToken } = one.term!;
    link.cut();
    await server.clock.advance(16_000);
    expect(two.term).toBeDefined();
    await expect(server.client().release('x', { fencingToken })).rejects.toBeInstanceOf(LeaseLostError);
    expect(await one.stop()).toBe('ended');
    link.restore();
    await server.clock.advance(5_000);
    two.term!.assertHeld();
  });

  it('a lease that is deleted and created again has a higher token, and its old leader stops at once', async () => {
    const one = await new Candidate(server, 'one').run();
    const { fencingToken } = one.term!;
    const { uid } = await server.client().get('x');
    await server.client().delete('x', { uid, force: true });
    await server.clock.advance(0);
    expect(one.log.slice(0, 4)).toEqual(['started', 'told to stop', 'work ended', 'stopped']);
    await server.clock.advance(2_000);
    expect(one.term!.fencingToken).toBeGreaterThan(fencingToken);
  });

  it('a leader that sees another one stops at once, before any deadline', async () => {
    const one = await new Candidate(server, 'one').run();
    const { fencingToken } = one.term!;
    await server.client().revoke('x', { fencingToken, force: true });
    const { granted } = await server.client({ holder: 'two' }).acquire('x');
    await server.clock.advance(0);
    expect(granted).toBeDefined();
    expect(one.log).toEqual(['started', 'told to stop', 'work ended', 'stopped']);
  });

  it('a holder of the same name is another holder: nothing is taken over by name', async () => {
    const one = await new Candidate(server, 'pod-1').run();
    const twin = await server.client({ holder: 'pod-1' }).acquire('x');
    expect(twin.busy).toMatchObject({ holder: 'pod-1' });
    expect(one.term).toBeDefined();
  });

  it('a process that is restarted under its name leads again once its old lease is over, with a higher token', async () => {
    const clock = server.clock.process();
    const before = await new Candidate(server, 'pod-1', { clock }).run();
    const { fencingToken } = before.term!;
    clock.kill();
    const after = await new Candidate(server, 'pod-1').run();
    await server.clock.advance(14_000);
    expect(after.term).toBeUndefined();
    await server.clock.advance(1_100);
    expect(after.term!.fencingToken).toBeGreaterThan(fencingToken);
  });

  it('a leader that is idle costs the server no command: it renews by heartbeats alone', async () => {
    await new Candidate(server, 'one').run();
    await new Candidate(server, 'two').run();
    await server.clock.advance(5_000);
    const before = (await server.client().get('x')).resourceVersion;
    await server.clock.advance(9_000);
    // One checkpoint of the renewal at most, and nothing at all from the standby.
    expect((await server.client().get('x')).resourceVersion - before).toBeLessThanOrEqual(1n);
  });
});

describe('the election as an object', () => {
  it('settles everything within the time that is documented when all servers are lost', async () => {
    const link = new TestLink();
    const one = await new Candidate(server, 'one', { link }).run();
    link.silence();
    const settled: string[] = [];
    void one.elector.resign().then(() => settled.push('resign'));
    void one.stop().then(() => settled.push('run'));
    // The release gives up after `timeoutMs`, and the lease runs out.
    await server.clock.advance(5_100);
    expect(settled).toEqual(['resign', 'run']);
    expect(new LeaderElector(one.client, { name: 'y' }).isLeader()).toBe(false);
  });
});
