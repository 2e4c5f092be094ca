import { describe, expect, it } from 'vitest';
import type { LeaseRecord } from '@leasehold/core';
import { acquire, reasonOf, release, remove, renew, update, World } from './world.js';
import { settle } from '@leasehold/sdk/testing';

/** What every revision that a world has come to left behind. */
type Diary = Map<bigint, readonly LeaseRecord[]>;

function note(world: World, diary: Diary): void {
  diary.set(world.coordinator.revision, world.coordinator.records(''));
}

/** Everything that can happen to leases of two namespaces, and the state after each of it. */
async function live(world: World): Promise<Diary> {
  const diary: Diary = new Map();
  note(world, diary);
  for (let round = 0; round < 12; round++) {
    const at = { namespace: round % 3 === 0 ? 'default' : 'a', name: `lease-${round % 5}` };
    const answer = await world.do({ ...acquire('h'), ...at });
    note(world, diary);
    if (answer.kind !== 'granted') {
      continue;
    }
    const { fencingToken } = answer.record;
    await world.do({ ...renew(world, 'h', fencingToken), ...at });
    note(world, diary);
    await world.do({ ...update({ labels: { round: `${round}` } }), ...at });
    note(world, diary);
    await world.do({ ...release(fencingToken), ...at });
    note(world, diary);
    if (round % 2 === 0) {
      await world.do({ ...remove({ uid: answer.record.uid }), ...at });
      note(world, diary);
    }
  }
  return diary;
}

async function expectDiary(world: World, diary: Diary): Promise<void> {
  for (const [revision, records] of diary) {
    expect(await world.coordinator.recordsAt('', revision)).toEqual(records);
    const ofOne = records.filter(({ namespace }) => namespace === 'a');
    expect(await world.coordinator.recordsAt('a', revision)).toEqual(ofOne);
  }
}

describe('leases as they were at a revision', () => {
  it('are those of that revision, out of memory', async () => {
    const world = await World.start();
    const diary = await live(world);
    world.store.history = () => Promise.reject(new Error('memory is enough'));
    expect(diary.size).toBeGreaterThan(50);
    await expectDiary(world, diary);
  });

  it("are those of that revision, out of the store's history", async () => {
    const world = await World.start({ recentChangesMax: 2 });
    await expectDiary(world, await live(world));
  });

  it('are those of that revision, over a start of the server', async () => {
    const world = await World.start();
    const diary = await live(world);
    await world.startServer();
    await world.do({ ...acquire('later'), name: 'lease-0' });
    note(world, diary);
    await expectDiary(world, diary);
  });

  it('are known as long as their last change before it is kept, or nothing has changed them since', async () => {
    const world = await World.start();
    const grants = new Map<string, bigint>();
    for (const name of ['busy', 'idle', 'other']) {
      const answer = await world.do({ ...acquire('h'), name });
      grants.set(name, answer.kind === 'granted' ? answer.record.fencingToken : 0n);
    }
    const { revision } = world.coordinator;
    await world.do({ ...renew(world, 'h', grants.get('busy')!), name: 'busy' });
    await world.startServer();
    const then = await world.coordinator.recordsAt('', revision);
    expect(then.map(({ name, renewals }) => `${name} ${renewals}`)).toEqual(['busy 0', 'idle 0', 'other 0']);

    world.disk.history.splice(0, 2);
    world.disk.floor = grants.get('idle')!;
    const refusal = world.coordinator.recordsAt('', revision);
    await expect(refusal).rejects.toMatchObject({ reason: 'REVISION_COMPACTED', detail: { oldestRevision: grants.get('idle') } });
    expect(await world.coordinator.recordsAt('elsewhere', revision)).toEqual([]);
    await world.do({ ...renew(world, 'h', grants.get('other')!), name: 'other' });
    expect(await world.coordinator.recordsAt('', world.coordinator.revision)).toEqual(world.coordinator.records(''));
  });

  it('do not depend on what changes while they are looked up', async () => {
    const world = await World.start({ recentChangesMax: 1 });
    const diary = await live(world);
    const { history } = world.store;
    let reads = 0;
    world.store.history = async (after, limit) => {
      reads++;
      await world.do({ ...acquire('x'), name: `new-${reads}` });
      await world.do({ ...update({ labels: { seen: `${reads}` } }), name: `lease-${reads % 5}` }).catch(() => undefined);
      return history(after, Math.min(limit, 50));
    };
    for (const [revision, records] of [...diary].filter((_, index) => index % 10 === 0)) {
      expect(await world.coordinator.recordsAt('', revision)).toEqual(records);
    }
    expect(reads).toBeGreaterThan(10);
  });

  it('are refused for a revision that was never issued here, or is older than the history', async () => {
    const world = await World.start();
    const start = world.coordinator.revision;
    await world.grant('a');
    world.clock.jumpWall(60_000);
    await world.startServer();
    const before = world.coordinator.revision;
    await world.do(update({ labels: { a: 'b' } }));
    expect(await reasonOf(world.coordinator.recordsAt('', before + 1n))).toBe('REVISION_UNKNOWN');
    expect(await reasonOf(world.coordinator.recordsAt('', start - 1n))).toBe('REVISION_COMPACTED');
  });

  it('fail as the store does', async () => {
    const world = await World.start({ recentChangesMax: 1 });
    const [first] = await live(world);
    world.store.history = () => Promise.reject(new Error('broken'));
    expect(await reasonOf(world.coordinator.recordsAt('', first![0]))).toBe('STORE_UNAVAILABLE');
  });
});

describe('a revision ahead of the server', () => {
  it('is waited for', async () => {
    const world = await World.start();
    const first = world.coordinator.revision;
    await world.grant('a');
    const ahead = world.coordinator.revision + (world.coordinator.revision - first);
    const seen: string[] = [];
    void world.coordinator.reach(ahead).then(() => seen.push('reached'));
    const records = world.coordinator.recordsAt('', ahead);
    await world.clock.advance(2999);
    expect(seen).toEqual([]);
    await world.do(release(world.lease.record.fencingToken));
    expect(seen).toEqual(['reached']);
    expect((await records).map(({ state }) => state)).toEqual(['AVAILABLE']);
    await expect(world.coordinator.reach(first)).resolves.toBeUndefined();
    await world.coordinator.drain();
    expect(world.clock.timers).toBe(0);
  });

  it('is refused after 3 s, or when the server drains', async () => {
    const world = await World.start();
    const ahead = world.coordinator.revision + 1n;
    const late = reasonOf(world.coordinator.reach(ahead));
    const records = reasonOf(world.coordinator.recordsAt('', ahead));
    await world.clock.advance(3000);
    expect([await late, await records]).toEqual(['REVISION_IN_FUTURE', 'REVISION_IN_FUTURE']);
    const drained = reasonOf(world.coordinator.reach(ahead));
    await settle();
    await world.coordinator.drain();
    expect(await drained).toBe('DRAINING');
    expect(world.clock.timers).toBe(0);
  });
});
