import { describe, expect, it } from 'vitest';
import { defaultLimits, StoreFullError } from '@leasehold/core';
import { acquire, Client, GatedStore, lease, reasonOf, release, remove, renew, revoke, update, World } from './core/world.js';
import { settle } from './support/fake-clock.js';

function track(p: Promise<unknown>): { state: unknown } {
  const t: { state: unknown } = { state: 'pending' };
  p.then((v) => { t.state = (v as any).kind ?? v; if ((v as any).busy?.timedOut) t.state = 'timedOut'; }, (e: any) => { t.state = e.reason ?? e; });
  return t;
}

describe('attack', () => {
  it('D1 drain: acquire queued in the same turn is never answered', async () => {
    const world = await World.start();
    await world.grant('a');
    const t = track(world.coordinator.submit(acquire('b', {}, { waitMs: 60_000 })));
    await world.coordinator.drain();
    await settle();
    console.log('D1 after drain', t.state, 'timers', world.clock.timers);
  });
  it('D2 drain: acquire blocked behind a commit is never answered', async () => {
    const world = await World.start();
    const token = await world.grant('a');
    world.store.shut();
    void world.coordinator.submit(renew(world, 'a', token));
    await settle();
    const t = track(world.coordinator.submit(acquire('b', {}, { waitMs: 60_000 })));
    await settle();
    const d = world.coordinator.drain();
    await world.store.open();
    await d;
    await settle();
    console.log('D2', t.state, world.clock.timers);
  });
  it('D3 drain with heir in flight and full store', async () => {
    const world = await World.start();
    const token = await world.grant('a');
    const t = track(world.coordinator.submit(acquire('b', {}, { waitMs: 60_000 })));
    await settle();
    world.store.shut();
    const r = track(world.coordinator.submit(release(token)));
    await settle();
    const d = world.coordinator.drain();
    world.store.failNext = { error: new StoreFullError('full'), lands: false };
    await world.store.open();
    await d; await settle();
    console.log('D3', r.state, t.state, world.clock.timers);
  });
  it('W1 wait runs out while grant is in flight, store full', async () => {
    const world = await World.start();
    const token = await world.grant('a', { durationMs: 3_600_000 });
    const t = track(world.coordinator.submit(acquire('b', {}, { waitMs: 1000 })));
    await settle();
    world.store.shut();
    void world.coordinator.submit(release(token)).catch(() => undefined);
    await settle();
    await world.clock.advance(1500);
    world.store.failNext = { error: new StoreFullError('full'), lands: false };
    await world.store.open();
    await settle();
    await world.clock.advance(60_000);
    console.log('W1', t.state);
  });
  it('F1 heir of a failed commit', async () => {
    const world = await World.start();
    const token = await world.grant('a');
    const t = track(world.coordinator.submit(acquire('b', {}, { waitMs: 60_000 })));
    await settle();
    world.store.failNext = { error: new Error('EIO'), lands: true };
    const r = track(world.coordinator.submit(release(token)));
    await settle();
    console.log('F1 release', r.state, 'heir', t.state, [...world.disk.records.values()][0]?.holder);
  });
  it('S1 full store, overdue lease, acquire never answered', async () => {
    const world = await World.start();
    await world.grant('a', { durationMs: 1000 });
    const inner = world.store.commit.bind(world.store);
    (world.store as any).commit = async () => { throw new StoreFullError('full'); };
    await world.clock.advance(1500);
    const t0 = track(world.coordinator.submit(acquire('b')));
    const t1 = track(world.coordinator.submit(acquire('c', {}, { waitMs: 500 })));
    const t2 = track(world.coordinator.submit(acquire('d') , new Client()));
    await world.clock.advance(120_000);
    console.log('S1 wait0', t0.state, 'wait500', t1.state);
    (world.store as any).commit = inner;
  });
  it('P1 stall: acquire blocked although lease is held again', async () => {
    const world = await World.start();
    const token = await world.grant('a', { durationMs: 60_000 });
    await world.clock.advance(30_000);
    const t = track(world.coordinator.submit(acquire('b', {}, {waitMs: 500})));
    const t0 = track(world.coordinator.submit(acquire('c')));
    await world.clock.stall(40_000);
    console.log('P1 after stall', t.state, t0.state, world.lease.remainingMs);
    // holder renews in time
    await world.do(renew(world, 'a', token));
    console.log('P1 after renewal commit', t0.state);
  });
  it('P2 stall: beats instead of commits', async () => {
    const world = await World.start({ checkpointIntervalMs: 0 });
    const token = await world.grant('a', { durationMs: 60_000 });
    const at = await world.coordinator.attach({ ...lease, holder: 'a', fencingToken: token, readAtMs: world.clock.monotonicMs() }, { onLoss() {}, onDuration() {} });
    await world.clock.advance(30_000);
    const t = track(world.coordinator.submit(acquire('b', {}, {waitMs: 500})));
    const t0 = track(world.coordinator.submit(acquire('c')));
    await world.clock.stall(40_000);
    world.coordinator.beat(at, world.clock.monotonicMs());
    let ms = 0;
    while (t0.state === 'pending' && ms < 200_000) { await world.clock.advance(1000); ms += 1000; world.coordinator.beat(at, world.clock.monotonicMs()); }
    console.log('P2 answered after', ms, t.state, t0.state);
  });
  it('B1 bound: commandsPendingMax is not in force', async () => {
    const world = await World.start({ limits: { ...defaultLimits, commandsPendingMax: 10 } });
    const token = await world.grant('a');
    let refused = 0, open = 0;
    for (let round = 0; round < 20; round++) {
      world.store.shut();
      for (let i = 0; i < 10; i++) {
        open++;
        world.coordinator.submit(renew(world, 'a', token)).then(() => { open--; }, () => { refused++; open--; });
      }
      await settle();
      await (world.store as any).open();
      world.store.shut();
      await settle();
    }
    console.log('B1 open', open, 'refused', refused);
    await world.store.open();
  });
  it('L1 lock delay of 5 ms with a waiter', async () => {
    const world = await World.start();
    await world.grant('a', { durationMs: 1000, lockDelayMs: 5 });
    const start = world.clock.monotonicMs();
    let at = 0;
    const p = world.coordinator.submit(acquire('b', {}, { waitMs: 60_000 })).then(() => { at = world.clock.monotonicMs() - start; });
    await world.clock.advance(2000);
    await p;
    console.log('L1 granted after', at, 'expected <= 1025');
  });
  it('L2 noted remaining 1 ms', async () => {
    const world = await World.start();
    await world.grant('a', { durationMs: 1000 });
    await world.clock.advance(999);
    await world.coordinator.drain();
    await world.startServer();
    const s = world.clock.monotonicMs();
    let ms = 0;
    while (world.lease.record.state === 'HELD') { await world.clock.advance(1); ms++; }
    console.log('L2 expired after', ms);
  });
  it('G1 second revoke re-announces the grace', async () => {
    const world = await World.start();
    const token = await world.grant('a', { durationMs: 60_000 });
    const losses: unknown[] = [];
    await world.coordinator.attach({ ...lease, holder: 'a', fencingToken: token, readAtMs: world.clock.monotonicMs() }, { onLoss(_, l) { losses.push(l.graceMs); }, onDuration() {} });
    void world.coordinator.submit(acquire('b', {}, { waitMs: 60_000 })).catch(()=>{});
    await settle();
    await world.do(revoke(token, { graceMs: 10_000 }));
    await world.clock.advance(9_000);
    await world.do(revoke(token, { graceMs: 10_000, transferTo: 'b' }));
    console.log('G1', losses);
    const late: unknown[] = [];
    await world.coordinator.attach({ ...lease, holder: 'a', fencingToken: token, readAtMs: world.clock.monotonicMs() }, { onLoss(_, l) { late.push(l.graceMs); }, onDuration() {} });
    console.log('G2 attach in grace told', late);
  });
  it('R1 retry of an acquire during a revoke begins a second tenure', async () => {
    const world = await World.start();
    const token = await world.grant('a', { acquireId: 'X' });
    await world.do(revoke(token, { graceMs: 0 }));
    const t = track(world.coordinator.submit(acquire('a', { acquireId: 'X' }, { waitMs: 60_000 })));
    await settle();
    await world.do(release(token));
    console.log('R1', t.state, world.lease.record.acquireId, world.lease.record.fencingToken > token);
  });
  it('A1 abandon is dropped when store is full', async () => {
    const world = await World.start();
    const c = new Client();
    world.store.shut();
    const t = track(world.coordinator.submit(acquire('a', { durationMs: 3_600_000 }), c));
    await settle();
    c.dieSilently();
    const real = world.store.commit.bind(world.store);
    let n = 0;
    (world.store as any).commit = (x: any) => { n++; return n === 1 ? Promise.reject(new StoreFullError('full')) : real(x); };
    await world.store.open();
    await world.clock.advance(60_000);
    console.log('A1', world.lease.record.state, world.lease.record.holder, t.state, n);
  });
});
