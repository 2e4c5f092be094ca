import { describe, expect, it } from 'vitest';
import { OutcomeUnknownError, StoreFullError } from '@leasehold/core';
import { settle } from '@leasehold/sdk/testing';
import { acquire, lease, reasonOf, release, remove, renew, validate, World } from './world.js';

describe('a store that fails', () => {
  it('refuses what a full store could not take, changes nothing, and goes on', async () => {
    const world = await World.start();
    const token = await world.grant('a');
    world.store.failNext = { error: new StoreFullError('full'), lands: false };
    expect(await reasonOf(world.do(release(token)))).toBe('STORE_FULL');
    expect(world.lease.record.state).toBe('HELD');
    world.store.failNext = { error: new StoreFullError('full'), lands: false };
    await world.clock.advance(10_100);
    expect(world.lease.record.state).toBe('HELD');
    await world.clock.advance(1_100);
    expect(world.lease.record.state).toBe('EXPIRED');
  });

  it('keeps the place of a waiter whose grant did not come about', async () => {
    const world = await World.start();
    const token = await world.grant('a');
    const waiting = world.coordinator.submit(acquire('b', {}, { waitMs: 60_000 }));
    await settle();
    world.store.failNext = { error: new StoreFullError('full'), lands: false };
    expect(await reasonOf(world.do(release(token)))).toBe('STORE_FULL');
    await world.do(release(token));
    expect((await waiting).kind).toBe('granted');
  });

  it('decides again what waited for a change that failed', async () => {
    const world = await World.start();
    const token = await world.grant('a');
    world.store.shut();
    world.store.failNext = { error: new StoreFullError('full'), lands: false };
    const releasing = reasonOf(world.coordinator.submit(release(token)));
    await settle();
    const other = world.coordinator.submit(acquire('b'));
    const renewing = world.coordinator.submit(renew(world, 'a', token));
    await world.store.open();
    expect(await releasing).toBe('STORE_FULL');
    expect(await other).toMatchObject({ kind: 'busy', busy: { holder: 'a' } });
    expect((await renewing).kind).toBe('renewed');
  });

  it.each([true, false])('answers nothing from memory after an unknown outcome (the commit landed: %s)', async (lands) => {
    const world = await World.start();
    const token = await world.grant('a');
    const waiting = reasonOf(world.coordinator.submit(acquire('w', {}, { waitMs: 60_000 })));
    await settle();
    world.store.shut();
    world.store.failNext = { error: new OutcomeUnknownError('disk'), lands };
    const releasing = reasonOf(world.coordinator.submit(release(token)));
    await settle();
    const blocked = reasonOf(world.coordinator.submit(validate(token)));
    await world.store.open();
    expect(await releasing).toBe('OUTCOME_UNKNOWN');
    expect(await waiting).toMatch(/OUTCOME_UNKNOWN|STORE_UNAVAILABLE/);
    expect(await blocked).toBe('STORE_UNAVAILABLE');
    expect(world.failures).toHaveLength(1);
    expect(() => world.lease).toThrow(/Store failed/);
    expect(await reasonOf(world.do(validate(token)))).toBe('STORE_UNAVAILABLE');
    await world.startServer();
    expect(world.lease.record.holder).toBe(lands ? 'w' : 'a');
    expect(world.lease.remainingMs).toBe(10_000);
  });
});

describe('a start', () => {
  it('counts every held lease, lock delay and reservation in full after a crash', async () => {
    const world = await World.start();
    const token = await world.grant('a');
    await world.clock.advance(9_000);
    await world.startServer();
    expect(world.lease.remainingMs).toBe(10_000);
    await world.do(remove({ fencingToken: token }));
    await world.clock.advance(9_000);
    await world.startServer();
    expect(await world.do(acquire('b'))).toMatchObject({ kind: 'busy', busy: { remainingMs: 10_000 } });
    await world.clock.advance(10_020);
    await world.grant('b', { lockDelayMs: 5_000 });
    await world.clock.advance(10_020 + 4_000);
    await world.startServer();
    expect(await world.do(acquire('c'))).toMatchObject({ kind: 'busy', busy: { holder: '', remainingMs: 5_000 } });
  });

  it('counts what a clean shutdown has noted, once, and only for the same token', async () => {
    const world = await World.start();
    await world.grant('a');
    await world.clock.advance(4_000);
    await world.coordinator.drain();
    await world.startServer();
    expect(world.lease.remainingMs).toBe(6_000);
    await world.startServer();
    expect(world.lease.remainingMs).toBe(10_000);
  });

  it('lets a lease that is longer than the time between deploys expire', async () => {
    const world = await World.start();
    await world.grant('a', { durationMs: 60_000 });
    for (let deploy = 0; deploy < 3; deploy++) {
      await world.clock.advance(19_000);
      await world.coordinator.drain();
      await world.startServer();
    }
    await world.clock.advance(3_100);
    expect(world.lease.record.state).toBe('EXPIRED');
  });

  it('answers waiters and refuses everything new in a drain, and leaves no timer behind', async () => {
    const world = await World.start();
    const token = await world.grant('a');
    const waiting = reasonOf(world.coordinator.submit(acquire('b', {}, { waitMs: 60_000 })));
    await settle();
    await world.coordinator.drain();
    expect(await waiting).toBe('DRAINING');
    expect(await reasonOf(world.do(renew(world, 'a', token)))).toBe('DRAINING');
    expect(world.clock.timers).toBe(0);
  });

  it('commits what a drain finds in the queue', async () => {
    const world = await World.start();
    world.store.shut();
    const first = world.coordinator.submit(acquire('a'));
    await settle();
    const second = world.coordinator.submit({ ...acquire('b'), name: 'other' });
    const drained = world.coordinator.drain();
    await world.store.open();
    await drained;
    expect((await first).kind).toBe('granted');
    expect((await second).kind).toBe('granted');
    expect(world.disk.records.has(`${lease.namespace}/other`)).toBe(true);
  });
});
