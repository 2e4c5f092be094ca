import { expect, it } from 'vitest';
import { MemoryStore } from '@leasehold/core';
import { FakeClock, settle } from '@leasehold/sdk/testing';
import { acquire, GatedStore, lease, World } from './world.js';

/** A store that another server could have opened is done for: nothing is answered from memory any more. */

async function start(validForMs: number): Promise<{ world: World; store: GatedStore }> {
  const store = new GatedStore(new MemoryStore({ wallMs: () => 1e12 }));
  const world = new World();
  store.validUntilMs = world.clock.monotonicMs() + validForMs;
  await world.startServer({ store });
  return { world, store };
}

async function attach(world: World, fencingToken: bigint): ReturnType<World['coordinator']['attach']> {
  const request = { ...lease, holder: 'a', fencingToken, readAtMs: world.clock.monotonicMs() };
  return world.coordinator.attach(request, { onLoss: () => undefined, onDuration: () => undefined });
}

it('a beat that was read once the store could have lapsed renews nothing', async () => {
  const { world, store } = await start(3000);
  const attachment = await attach(world, await world.grant('a'));
  expect(world.coordinator.beat(attachment, store.validUntilMs! - 1)).toBe('renewed');
  expect(world.coordinator.beat(attachment, store.validUntilMs!)).toBe('ending');
});

it('is judged once what came while the process was held up has been read', async () => {
  const store = new GatedStore(new MemoryStore({ wallMs: () => 1e12 }));
  const world = new World();
  const clock = new FakeClock();
  const lapsesMs = clock.monotonicMs() + 3000;
  store.validUntilMs = lapsesMs;
  const unavailable = expect.objectContaining({ reason: 'STORE_UNAVAILABLE' }) as unknown;
  // A timer that is due runs before the input is read.
  clock.after(3000, () => {
    clock.soon(() => (store.validUntilMs! += 3000));
    expect(() => world.lease).toThrow(unavailable);
  });
  await world.startServer({ store, clock });
  await world.grant('a');
  await clock.advance(5999);
  expect(store.validUntilMs).toBe(lapsesMs + 3000);
  expect(world.lease.record).toMatchObject({ holder: 'a' });
  expect(world.failures).toEqual([]);
  await clock.advance(1);
  expect(world.failures).toHaveLength(1);
});

it('is noticed without anybody asking', async () => {
  const { world } = await start(3000);
  await world.clock.advance(2999);
  expect(world.failures).toEqual([]);
  await world.clock.advance(1);
  expect(world.failures).toMatchObject([{ message: expect.stringContaining('another server may have opened it') as string }]);
});

it('does not lapse as long as it is put off', async () => {
  const { world, store } = await start(3000);
  for (let second = 0; second < 10; second += 1) {
    await world.clock.advance(1000);
    store.validUntilMs = world.clock.monotonicMs() + 3000;
  }
  expect(world.failures).toEqual([]);
  await world.clock.advance(3000);
  expect(world.failures).toHaveLength(1);
});

it('refuses reads, commands and watches at once, before any timer has fired', async () => {
  const { world, store } = await start(3000);
  await world.grant('a');
  store.validUntilMs = world.clock.monotonicMs();
  const unavailable = expect.objectContaining({ reason: 'STORE_UNAVAILABLE' }) as unknown;
  expect(() => world.lease).toThrow(unavailable);
  await expect(world.coordinator.submit(acquire('b'))).rejects.toEqual(unavailable);
  const sink = { write: () => true, end: () => undefined };
  expect(() =>
    world.coordinator.watch({ ...lease, selector: undefined, fromRevision: 0n, includeRenewals: false } as never, sink),
  ).toThrow(unavailable);
  await settle();
  expect(world.failures).toHaveLength(1);
});

it('answers who waits for a commit that comes back after it has lapsed', async () => {
  const { world, store } = await start(3000);
  store.shut();
  const asked = world.coordinator.submit(acquire('a'));
  const refused = expect(asked).rejects.toMatchObject({ reason: 'OUTCOME_UNKNOWN' });
  await settle();
  await world.clock.advance(3000);
  expect(world.failures).toHaveLength(1);
  await store.open();
  await refused;
});
