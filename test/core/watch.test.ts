import { describe, expect, it } from 'vitest';
import {
  defaultLimits,
  everything,
  parseSelector,
  type LeaseError,
  type WatchMessage,
  type WatchQuery,
  type WatchSink,
} from '@leasehold/core';
import { settle } from '@leasehold/sdk/testing';
import { acquire, lease, release, remove, renew, update, World } from './world.js';

/** A reader that takes as many messages as it has room for. */
class Reader implements WatchSink {
  readonly messages: WatchMessage[] = [];
  error: LeaseError | undefined;
  room = Infinity;

  write(message: WatchMessage): boolean {
    this.messages.push(message);
    this.room--;
    return this.room > 0;
  }

  end(error: LeaseError): void {
    this.error = error;
  }

  get seen(): string[] {
    return this.messages.flatMap(({ events }) =>
      events.map(({ type, lease: { name }, revision }) => `${type} ${name} ${revision}`),
    );
  }

  get last(): bigint {
    return this.messages.at(-1)?.revision ?? 0n;
  }
}

function query(parts: Partial<WatchQuery> = {}): WatchQuery {
  return { namespace: '', name: '', selector: everything, fromRevision: 0n, includeRenewals: false, ...parts };
}

async function watch(world: World, parts: Partial<WatchQuery> = {}, reader: Reader = new Reader()): Promise<Reader> {
  world.coordinator.watch(query(parts), reader);
  await settle();
  return reader;
}

/** Takes a lease of each name and gives it back. */
async function churn(world: World, names: readonly string[]): Promise<void> {
  for (const name of names) {
    const answer = await world.do({ ...acquire('a'), name });
    if (answer.kind === 'granted') {
      await world.do({ ...release(answer.record.fencingToken), name });
    }
  }
}

describe('a watch', () => {
  it('begins with the revision it starts from, at once', async () => {
    const world = await World.start();
    const reader = await watch(world);
    expect(reader.messages).toEqual([{ events: [], revision: world.coordinator.revision }]);
  });

  it('sends each change once, in order, and a release with the grant that follows in one message', async () => {
    const world = await World.start();
    const reader = await watch(world);
    const token = await world.grant('a');
    void world.coordinator.submit(acquire('b', {}, { waitMs: 60_000 }));
    await settle();
    await world.do(release(token));
    expect(reader.seen).toEqual([
      `ACQUIRED example ${token}`,
      `RELEASED example ${token + 1n}`,
      `ACQUIRED example ${token + 1n}`,
    ]);
    expect(reader.messages.at(-1)?.events.map(({ lease: { holder, state } }) => [holder, state])).toEqual([
      ['', 'AVAILABLE'],
      ['b', 'HELD'],
    ]);
  });

  it('leaves renewals out unless asked', async () => {
    const world = await World.start();
    const without = await watch(world);
    const withThem = await watch(world, { includeRenewals: true });
    const token = await world.grant('a');
    await world.do(renew(world, 'a', token));
    expect(without.seen).toEqual([`ACQUIRED example ${token}`]);
    expect(withThem.seen).toEqual([`ACQUIRED example ${token}`, `RENEWED example ${token + 1n}`]);
  });

  it('is for one namespace, or one lease', async () => {
    const world = await World.start();
    const one = await watch(world, { namespace: 'default', name: 'x' });
    const all = await watch(world, { namespace: 'default' });
    const other = await watch(world, { namespace: 'other' });
    await churn(world, ['x', 'y']);
    expect(one.seen.map((event) => event.split(' ')[1])).toEqual(['x', 'x']);
    expect(all.seen).toHaveLength(4);
    expect(other.seen).toEqual([]);
  });

  it('turns a change that takes a lease out of the selection into DELETED', async () => {
    const world = await World.start();
    const selector = parseSelector('app=foo', defaultLimits);
    const reader = await watch(world, { selector });
    await world.grant('a');
    await world.do(update({ labels: { app: 'foo' } }));
    await world.do(update({ labels: { app: 'bar' } }));
    await world.do(update({ labels: { app: 'foo' } }));
    await world.do(remove({ uid: world.lease.record.uid }));
    const events = reader.messages.flatMap((message) => message.events);
    expect(events.map(({ type, reason, wasSelected }) => `${type} ${reason} ${String(wasSelected)}`)).toEqual([
      'UPDATED REQUESTED false',
      'DELETED UNSELECTED true',
      'UPDATED REQUESTED false',
      'DELETED REQUESTED true',
    ]);
    const resumed = await watch(world, { selector, fromRevision: reader.messages[0]?.revision ?? 0n });
    expect(resumed.seen).toEqual(reader.seen);
  });

  it('gets bookmarks while nothing happens', async () => {
    const world = await World.start({ bookmarkIntervalMs: 10_000 });
    const reader = await watch(world, { namespace: 'quiet' });
    await churn(world, ['x']);
    await world.clock.advance(10_000);
    expect(reader.messages).toHaveLength(2);
    expect(reader.last).toBe(world.coordinator.revision);
  });

  it('is refused past the limit, and ended in a drain', async () => {
    const world = await World.start({ limits: { ...defaultLimits, watchersMax: 1 } });
    const reader = await watch(world);
    expect(() => world.coordinator.watch(query(), new Reader())).toThrow(/at most 1 watches/);
    await world.coordinator.drain();
    expect(reader.error?.reason).toBe('DRAINING');
  });
});

describe('a resumed watch', () => {
  it.each([
    ['from memory', {}],
    ["from the store's history", { recentChangesMax: 4 }],
  ])('yields the exact suffix, killed at any point (%s)', async (_name, options) => {
    const world = await World.start(options);
    const whole = await watch(world);
    const start = whole.last;
    await churn(
      world,
      Array.from({ length: 30 }, (_, index) => `lease-${index % 7}`),
    );
    for (let at = 0; at <= whole.messages.length; at += 7) {
      const from = whole.messages.slice(0, at).at(-1)?.revision ?? start;
      const expected = whole.seen.filter((event) => BigInt(event.split(' ')[2] ?? '0') > from);
      expect((await watch(world, { fromRevision: from })).seen).toEqual(expected);
    }
  });

  it('survives a restart of the server', async () => {
    const world = await World.start();
    const reader = await watch(world);
    await churn(world, ['x']);
    const from = reader.last;
    await world.startServer();
    await churn(world, ['y']);
    const resumed = await watch(world, { fromRevision: from });
    expect(resumed.seen.map((event) => event.split(' ').slice(0, 2).join(' '))).toEqual(['ACQUIRED y', 'RELEASED y']);
  });

  it('is refused from a revision that is compacted, or was never issued here', async () => {
    const world = await World.start({ recentChangesMax: 4 });
    const start = world.coordinator.revision;
    await churn(world, ['x', 'y']);
    await world.startServer();
    world.clock.jumpWall(60_000);
    await world.startServer();
    const before = world.coordinator.revision;
    await churn(world, ['z']);
    const unknown = await watch(world, { fromRevision: before + 1n });
    expect(unknown.error?.reason).toBe('REVISION_UNKNOWN');
    expect((await watch(world, { fromRevision: before })).error).toBeUndefined();
    world.disk.history.splice(0, 3);
    world.disk.floor = start + 3n;
    const compacted = await watch(world, { fromRevision: start });
    expect(compacted.error?.reason).toBe('REVISION_COMPACTED');
    expect(compacted.error?.detail.oldestRevision).toBe(start + 3n);
  });

  it('waits up to 3 s for a revision ahead of the server', async () => {
    const world = await World.start();
    await churn(world, ['x']);
    const ahead = world.coordinator.revision + 2n;
    const lucky = await watch(world, { fromRevision: ahead });
    const unlucky = await watch(world, { fromRevision: ahead + 1_000n });
    expect(lucky.messages).toEqual([]);
    await churn(world, ['y', 'z']);
    expect(lucky.seen.map((event) => event.split(' ').slice(0, 2).join(' '))).toEqual(['ACQUIRED z', 'RELEASED z']);
    await world.clock.advance(3_000);
    expect(unlucky.error?.reason).toBe('REVISION_IN_FUTURE');
    expect(lucky.error).toBeUndefined();
  });
});

describe('a slow reader', () => {
  it('misses nothing, and costs nothing but its place', async () => {
    const world = await World.start({ recentChangesMax: 4 });
    const fast = await watch(world);
    const slow = new Reader();
    slow.room = 1;
    const handle = world.coordinator.watch(query(), slow);
    await settle();
    await churn(
      world,
      Array.from({ length: 40 }, (_, index) => `lease-${index}`),
    );
    expect(slow.seen).toEqual([]);
    for (let turn = 0; turn < 200 && slow.seen.length < fast.seen.length; turn++) {
      slow.room = 2;
      handle.resume();
      await settle();
    }
    expect(slow.seen).toEqual(fast.seen);
    await churn(world, ['again']);
    slow.room = Infinity;
    handle.resume();
    await settle();
    expect(slow.seen).toEqual(fast.seen);
  });

  it('is ended when it falls off the history', async () => {
    const world = await World.start({ recentChangesMax: 2 });
    const slow = new Reader();
    slow.room = 1;
    const handle = world.coordinator.watch(query(), slow);
    await settle();
    await churn(
      world,
      Array.from({ length: 20 }, (_, index) => `lease-${index}`),
    );
    world.disk.floor = world.coordinator.revision;
    world.disk.history.length = 0;
    slow.room = Infinity;
    handle.resume();
    await settle();
    expect(slow.error?.reason).toBe('REVISION_COMPACTED');
  });

  it('hears nothing more once it is closed', async () => {
    const world = await World.start();
    const reader = new Reader();
    const handle = world.coordinator.watch(query(), reader);
    await settle();
    handle.close();
    await churn(world, ['x']);
    await world.coordinator.drain();
    expect(reader.seen).toEqual([]);
    expect(reader.error).toBeUndefined();
  });
});

describe('a list', () => {
  it('comes in pages, in order, at the revision of the first page', async () => {
    const world = await World.start();
    for (const name of ['c', 'a', 'e', 'b', 'd']) {
      await world.do({ ...acquire('h', { labels: { odd: String('ace'.includes(name)) } }), name });
    }
    await world.do({ ...acquire('h'), namespace: 'other', name: 'z' });
    const list = (pageToken: string, selector = everything) =>
      world.coordinator.list({ namespace: lease.namespace, selector, pageSize: 2, pageToken });
    const first = list('');
    await world.do({ ...acquire('h'), name: 'f' });
    const second = list(first.nextPageToken);
    const third = list(second.nextPageToken);
    const names = [first, second, third].flatMap(({ leases }) => leases.map(({ record }) => record.name));
    expect(names).toEqual(['a', 'b', 'c', 'd', 'e', 'f']);
    expect(new Set([first, second, third].map(({ revision }) => revision)).size).toBe(1);
    const odd = list('', parseSelector('odd in (true)', defaultLimits));
    expect(odd.leases.map(({ record }) => record.name)).toEqual(['a', 'c']);
    expect(() => list(odd.nextPageToken)).toThrow(/page_token/);
    expect(() => list('nonsense')).toThrow(/page_token/);
    const reader = await watch(world, { fromRevision: first.revision });
    expect(reader.seen.map((event) => event.split(' ')[1])).toEqual(['f']);
  });
});
