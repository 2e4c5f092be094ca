import { describe, expect, it } from 'vitest';
import { defaultLimits, OutcomeUnknownError, StoreFullError, type Attachment, type Loss } from '@leasehold/core';
import { settle } from '@leasehold/sdk/testing';
import { acquire, Client, lease, reasonOf, release, renew, revoke, World } from './world.js';

/** What has become of a promise: `pending`, the kind of its answer, or the reason of its refusal. */
function track(promise: Promise<{ kind: string }>): { state: string } {
  const tracked = { state: 'pending' };
  promise.then(
    ({ kind }) => (tracked.state = kind),
    (error: unknown) => (tracked.state = (error as { reason: string }).reason),
  );
  return tracked;
}

const full = new StoreFullError('full');

describe('a sweep', () => {
  it('is not held up by leases that are garbage but for their lock delay', async () => {
    const world = await World.start();
    for (let index = 0; index < 300; index++) {
      await world.do({
        ...acquire('a', { durationMs: 100, lockDelayMs: 3_600_000, keepAfterExpiryMs: 0 }),
        name: `lease-${index}`,
      });
    }
    await world.clock.advance(200);
    await world.grant('b', { durationMs: 1_000 });
    await world.clock.advance(1_020);
    expect(world.lease.record.state).toBe('EXPIRED');
  });

  it('comes in time for what becomes due earlier than its next look at the clock', async () => {
    const world = await World.start();
    const token = await world.grant('a', { durationMs: 1_000, lockDelayMs: 5 });
    const waiting = track(world.coordinator.submit(acquire('b', {}, { waitMs: 60_000 })));
    await world.clock.advance(1_001);
    expect(waiting.state).toBe('pending');
    await world.clock.advance(6);
    expect(waiting.state).toBe('granted');
    expect(world.lease.record.fencingToken).toBeGreaterThan(token);
  });

  it('lets an acquire go on that waited for an expiry which a stall has put off', async () => {
    const world = await World.start({ checkpointIntervalMs: 0 });
    const token = await world.grant('a', { durationMs: 60_000 });
    const listener = { onLoss: () => undefined, onDuration: () => undefined };
    const attachment = await world.coordinator.attach(
      { ...lease, holder: 'a', fencingToken: token, readAtMs: world.clock.monotonicMs() },
      listener,
    );
    await world.clock.advance(30_000);
    const other = track(world.coordinator.submit(acquire('c')));
    await world.clock.stall(40_000);
    world.coordinator.beat(attachment, world.clock.monotonicMs());
    await world.clock.advance(100);
    expect(other.state).toBe('busy');
  });
});

describe('many commands on one lease', () => {
  it('count against the limit while they wait for an outcome', async () => {
    const world = await World.start({ limits: { ...defaultLimits, commandsPendingMax: 10 } });
    const token = await world.grant('a');
    world.store.shut();
    const first = world.coordinator.submit(renew(world, 'a', token));
    await settle();
    const others = Array.from({ length: 12 }, () => track(world.coordinator.submit(renew(world, 'a', token))));
    await settle();
    expect(others.filter(({ state }) => state === 'LIMIT_EXCEEDED').length).toBeGreaterThanOrEqual(2);
    await world.store.open();
    await first;
    await settle();
    expect(others.filter(({ state }) => state === 'pending')).toEqual([]);
  });

  it('are answered in the order in which they came, and do not hold up other leases', async () => {
    const world = await World.start();
    const token = await world.grant('a');
    const order: number[] = [];
    for (let index = 0; index < 200; index++) {
      void world.coordinator.submit(renew(world, 'a', token)).then(() => order.push(index));
    }
    const other = track(world.coordinator.submit({ ...acquire('b'), name: 'other' }));
    await settle();
    expect(other.state).toBe('granted');
    for (let turn = 0; turn < 100; turn++) {
      await settle();
    }
    expect(order).toEqual(Array.from({ length: 200 }, (_, index) => index));
  });
});

describe('a drain', () => {
  it('answers an acquire that was about to wait', async () => {
    const world = await World.start();
    await world.grant('a');
    const waiting = track(world.coordinator.submit(acquire('b', {}, { waitMs: 60_000 })));
    await world.coordinator.drain();
    await settle();
    expect(waiting.state).toBe('DRAINING');
    expect(world.clock.timers).toBe(0);
  });

  it('answers an acquire that waited for an outcome before it could wait', async () => {
    const world = await World.start();
    const token = await world.grant('a');
    world.store.shut();
    void world.coordinator.submit(renew(world, 'a', token));
    await settle();
    const waiting = track(world.coordinator.submit(acquire('b', {}, { waitMs: 60_000 })));
    const drained = world.coordinator.drain();
    await world.store.open();
    await drained;
    await settle();
    expect(waiting.state).toBe('DRAINING');
    expect(world.clock.timers).toBe(0);
  });

  it('answers the next in the queue whose grant found the store full', async () => {
    const world = await World.start();
    const token = await world.grant('a');
    const waiting = track(world.coordinator.submit(acquire('b', {}, { waitMs: 60_000 })));
    await settle();
    world.store.shut();
    track(world.coordinator.submit(release(token)));
    await settle();
    const drained = world.coordinator.drain();
    world.store.failNext = { error: full, lands: false };
    await world.store.open();
    await drained;
    await settle();
    expect(waiting.state).toBe('DRAINING');
    expect(world.clock.timers).toBe(0);
  });
});

describe('a full store', () => {
  it('does not make a wait longer that ran out while its grant was in flight', async () => {
    const world = await World.start();
    const token = await world.grant('a', { durationMs: 3_600_000 });
    const waiting = track(world.coordinator.submit(acquire('b', {}, { waitMs: 1_000 })));
    await settle();
    world.store.shut();
    track(world.coordinator.submit(release(token)));
    await settle();
    await world.clock.advance(1_500);
    world.store.failNext = { error: full, lands: false };
    await world.store.open();
    expect(waiting.state).toBe('busy');
  });

  it('is told to an acquire of a lease that cannot be expired for it', async () => {
    const world = await World.start();
    await world.grant('a', { durationMs: 1_000 });
    world.store.commit = () => Promise.reject(full);
    await world.clock.advance(1_500);
    const others = [
      track(world.coordinator.submit(acquire('b'))),
      track(world.coordinator.submit(acquire('c', {}, { waitMs: 500 }))),
    ];
    await world.clock.advance(2_000);
    expect(others.map(({ state }) => state)).toEqual(['STORE_FULL', 'STORE_FULL']);
  });

  it('does not let a grant stand whose caller is gone', async () => {
    const world = await World.start();
    const client = new Client();
    world.store.shut();
    track(world.coordinator.submit(acquire('a', { durationMs: 3_600_000 }), client));
    await settle();
    client.dieSilently();
    const commit = world.store.commit.bind(world.store);
    let failing = 0;
    world.store.commit = (changes) => (++failing === 1 ? Promise.reject(full) : commit(changes));
    await world.store.open();
    expect(world.lease.record.state).toBe('HELD');
    await world.clock.advance(1_100);
    expect(world.lease.record.state).toBe('AVAILABLE');
  });
});

describe('an unknown outcome', () => {
  it('is told to the waiter whom the commit would have granted the lease', async () => {
    const world = await World.start();
    const token = await world.grant('a');
    const waiting = track(world.coordinator.submit(acquire('b', {}, { waitMs: 60_000 })));
    await settle();
    world.store.failNext = { error: new OutcomeUnknownError('disk'), lands: true };
    expect(await reasonOf(world.do(release(token)))).toBe('OUTCOME_UNKNOWN');
    expect(waiting.state).toBe('OUTCOME_UNKNOWN');
  });
});

describe('a revoke with grace', () => {
  const losses: (Loss['graceMs'] | 'over')[] = [];
  const listener = {
    onLoss: (_: Attachment, { graceMs }: Loss) => losses.push(graceMs ?? 'over'),
    onDuration: () => undefined,
  };

  it('is told once, also when it is repeated, and to a stream that attaches meanwhile', async () => {
    losses.length = 0;
    const world = await World.start();
    const token = await world.grant('a', { durationMs: 60_000 });
    const attach = () =>
      world.coordinator.attach({ ...lease, holder: 'a', fencingToken: token, readAtMs: world.clock.monotonicMs() }, listener);
    await attach();
    void world.coordinator.submit(acquire('b', {}, { waitMs: 60_000 })).catch(() => undefined);
    await world.do(revoke(token, { graceMs: 10_000 }));
    await world.clock.advance(9_000);
    await world.do(revoke(token, { graceMs: 10_000, transferTo: 'b' }));
    expect(losses).toEqual([10_000]);
    await attach();
    expect(losses).toEqual([10_000, 1_000]);
    await world.clock.advance(1_010);
    expect(losses).toEqual([10_000, 1_000, 'over', 'over']);
  });

  it('answers busy to a repeat of the request that began the tenure, and does not queue it', async () => {
    const world = await World.start();
    const token = await world.grant('a', { acquireId: 'id' });
    await world.do(revoke(token));
    expect((await world.do(acquire('a', { acquireId: 'id' }, { waitMs: 60_000 }))).kind).toBe('busy');
  });
});
