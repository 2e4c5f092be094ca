import { describe, expect, it } from 'vitest';
import { defaultLimits } from '@leasehold/core';
import { acquire, release, remove, World } from '../core/world.js';
import { settle } from '@leasehold/sdk/testing';
import { grant, relabel, watch, WatchClient } from './watch-support.js';

describe('bookmarks', () => {
  it('come once a minute and 2 s before the end, to those who take them', async () => {
    const world = await World.start();
    const query = 'watch=1&timeoutSeconds=150&resourceVersion=';
    const { revision } = world.coordinator;
    const client = await watch(world, `${query}${revision}&allowWatchBookmarks=true`);
    const without = await watch(world, `${query}${revision}`);
    await world.do({ ...acquire('h'), namespace: 'other' });
    await world.clock.advance(59_999);
    expect(client.events).toEqual([]);
    await world.clock.advance(1);
    expect(client.events).toEqual([
      {
        type: 'BOOKMARK',
        object: {
          ...{ kind: 'Lease', apiVersion: 'coordination.k8s.io/v1', spec: {} },
          metadata: { resourceVersion: String(world.coordinator.revision) },
        },
      },
    ]);
    await world.clock.advance(60_000);
    expect(client.events).toHaveLength(2);
    await grant(world, 'a');
    const { resourceVersion } = await grant(world, 'b', 'h', { durationMs: 3_600_000 });
    await world.clock.advance(27_999);
    const expired = client.versions.at(-1);
    expect(client.seen.slice(2)).toEqual(['ADDED a h', 'ADDED b h', 'MODIFIED a h']);
    await world.clock.advance(1);
    expect(client.seen.slice(5)).toEqual(['BOOKMARK']);
    expect(client.versions.at(-1)).toBe(expired);
    expect(expired).toBeGreaterThan(resourceVersion);
    await world.clock.advance(2000);
    expect(client.seen).toHaveLength(6);
    expect(client.ended).toBe(true);
    expect(without.seen).toEqual(['ADDED a h', 'ADDED b h', 'MODIFIED a h']);
  });

  it('do not go below the version that a watch began from, nor come before it has begun', async () => {
    const world = await World.start();
    const { resourceVersion } = await grant(world, 'a');
    const client = await watch(world, `watch=1&allowWatchBookmarks=1&timeoutSeconds=4&resourceVersion=${resourceVersion + 1n}`);
    await world.clock.advance(2500);
    expect(client.events).toEqual([]);
  });
});

describe('the end of a watch', () => {
  it('comes when its time is over', async () => {
    const world = await World.start();
    const client = await watch(world, 'watch=1&timeoutSeconds=5');
    await world.clock.advance(4999);
    expect(client.ended).toBe(false);
    await world.clock.advance(1);
    expect(client.ended).toBe(true);
    expect(client.events).toEqual([]);
    await grant(world, 'a');
    expect(client.events).toEqual([]);
    expect((await watch(world, 'watch=1&timeoutSeconds=-1')).ended).toBe(true);
  });

  it.each(['', '&timeoutSeconds=0'])('comes after half an hour to an hour by itself%s', async (query) => {
    const world = await World.start();
    const clients = await Promise.all(Array.from({ length: 8 }, () => watch(world, `watch=1${query}`)));
    const ends = new Map<WatchClient, number>();
    for (let minute = 1; minute <= 60; minute++) {
      await world.clock.advance(60_000);
      clients.filter(({ ended }) => ended).forEach((client) => ends.set(client, ends.get(client) ?? minute));
    }
    expect(ends.size).toBe(8);
    expect(Math.min(...ends.values())).toBeGreaterThanOrEqual(30);
    expect(new Set(ends.values()).size).toBeGreaterThan(1);
  });

  it('comes in order when the server drains, without a word: clients come again and go on', async () => {
    const world = await World.start();
    const client = await watch(world, 'watch=1&allowWatchBookmarks=1');
    await world.coordinator.drain();
    expect(client.ended).toBe(true);
    expect(client.seen).toEqual(['BOOKMARK']);
    expect(world.clock.timers).toBe(0);
  });

  it('leaves nothing behind when the client goes', async () => {
    const world = await World.start({ limits: { ...defaultLimits, watchersMax: 3 } });
    await grant(world, 'a', 'h', { durationMs: 86_400_000 });
    const { timers } = world.clock;
    const client = await watch(world, 'watch=1&allowWatchBookmarks=1');
    const ahead = await watch(world, `watch=1&resourceVersion=${world.coordinator.revision + 1n}`);
    const waiting = await watch(
      world,
      `watch=1&sendInitialEvents=1&resourceVersionMatch=NotOlderThan&resourceVersion=${world.coordinator.revision + 1n}`,
    );
    const gone = new WatchClient();
    gone.leave();
    await watch(world, 'watch=1', { client: gone });
    [client, ahead, waiting].forEach((other) => other.leave());
    expect(world.clock.timers).toBe(timers + 1);
    const before = client.chunks.length;
    await relabel(world, 'a', 'prod');
    await world.clock.advance(3000);
    expect([client.chunks.length, ahead.chunks.length, waiting.chunks.length, gone.chunks.length]).toEqual([before, 0, 0, 0]);
    expect(world.clock.timers).toBe(timers);
    await Promise.all([watch(world), watch(world), watch(world)]);
  });
});

describe('a slow client', () => {
  it('is sent what there was piece by piece, and then what has happened meanwhile', async () => {
    const world = await World.start();
    const names = Array.from({ length: 300 }, (_, index) => `lease-${String(index).padStart(3, '0')}`);
    for (const name of names) {
      await grant(world, name, 'h', { durationMs: 86_400_000 });
    }
    const client = new WatchClient();
    client.room = 1;
    await watch(world, 'watch=1&allowWatchBookmarks=1', { client });
    expect(client.chunks).toHaveLength(1);
    expect(client.events.length).toBeLessThan(100);
    await grant(world, 'later');
    await relabel(world, 'lease-299', 'new');
    await world.clock.advance(60_000);
    expect(client.chunks).toHaveLength(1);
    client.drain(2);
    await settle();
    expect(client.chunks).toHaveLength(3);
    client.drain();
    await settle();
    expect(client.seen.slice(0, 302)).toEqual([...names.map((name) => `ADDED ${name} h`), 'BOOKMARK', 'ADDED later h']);
    expect(client.seen.slice(302)).toEqual(['MODIFIED lease-299 h', 'MODIFIED later h']);
    expect(client.events[302]?.object.metadata.labels).toEqual({ env: 'new' });
  });

  it('keeps the coordinator waiting, and misses nothing', async () => {
    const world = await World.start();
    const fast = await watch(world, 'watch=1&allowWatchBookmarks=1');
    const client = await watch(world, 'watch=1&allowWatchBookmarks=1');
    client.room = 1;
    for (let round = 0; round < 30; round++) {
      const { fencingToken } = await grant(world, `lease-${round % 4}`);
      await world.do({ ...release(fencingToken), name: `lease-${round % 4}` });
      if (round % 10 === 9) {
        client.drain(1);
        await settle();
      }
    }
    expect(client.chunks.length).toBeLessThan(6);
    client.drain();
    await world.clock.advance(60_000);
    expect(client.events).toEqual(fast.events);
    expect(fast.events).toHaveLength(62);
  });

  it('that falls behind what is kept is told where it was', async () => {
    const world = await World.start({ recentChangesMax: 1 });
    const client = await watch(world);
    client.room = 1;
    const { resourceVersion } = await grant(world, 'a');
    for (const name of ['b', 'c', 'd', 'e']) {
      await grant(world, name);
    }
    world.disk.history.splice(0, 3);
    world.disk.floor = resourceVersion + 2n;
    client.drain();
    await settle();
    expect(client.seen[0]).toBe('ADDED a h');
    expect(client.events.at(-1)?.object.message).toBe(`too old resource version: ${resourceVersion} (${resourceVersion + 2n})`);
    expect(client.ended).toBe(true);
  });
});

describe('events', () => {
  const table = 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json';

  it('as tables have the columns in the first one only', async () => {
    const world = await World.start();
    await grant(world, 'a');
    const client = await watch(world, 'watch=1&allowWatchBookmarks=1', { accept: table });
    await grant(world, 'b');
    const tables = client.events.map(({ object }) => object);
    expect(tables.map(({ kind }) => kind)).toEqual(['Table', 'Table', 'Table']);
    expect(tables.map(({ columnDefinitions }) => columnDefinitions?.map(({ name }) => name) ?? null)).toEqual([
      ['Name', 'Holder', 'Age'],
      null,
      null,
    ]);
    expect(tables.map(({ rows }) => rows?.[0]?.cells)).toEqual([
      ['a', 'h', '0s'],
      ['', '', '<unknown>'],
      ['b', 'h', '0s'],
    ]);
    expect(tables.map(({ rows }) => rows?.[0]?.object?.kind)).toEqual(Array(3).fill('PartialObjectMetadata'));
    const fromNow = await watch(world, `watch=1&resourceVersion=${world.coordinator.revision}`, { accept: table });
    await grant(world, 'c');
    await grant(world, 'd');
    expect(fromNow.events.map(({ object }) => object.columnDefinitions?.length)).toEqual([3, undefined]);
  });

  it('as tables have what rows are to have of the object, and always the end of the initial events', async () => {
    const world = await World.start();
    await grant(world, 'a');
    const kindsOf = async (include: string) => {
      const client = await watch(world, `watch=1&allowWatchBookmarks=1&includeObject=${include}`, { accept: table });
      return client.events.map(({ object }) => object.rows?.[0]?.object?.kind);
    };
    expect(await kindsOf('None')).toEqual([undefined, 'PartialObjectMetadata']);
    expect(await kindsOf('Object')).toEqual(['Lease', 'Lease']);
  });

  it('as metadata have nothing else; there is no list of it in a watch', async () => {
    const world = await World.start();
    await grant(world, 'a');
    const [event] = (await watch(world, 'watch=1', { accept: 'application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io' }))
      .events;
    expect(event?.object).toMatchObject({ kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1', metadata: { name: 'a' } });
    expect(event?.object).not.toHaveProperty('spec');
    const list = await watch(world, 'watch=1', { accept: 'application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io' });
    expect(list.seen).toEqual(['ADDED a h']);
  });

  it('in protobuf stand behind their length, unless they come one by one', async () => {
    const world = await World.start();
    await grant(world, 'a');
    const accept = 'application/vnd.kubernetes.protobuf;stream=watch';
    const stream = await watch(world, 'watch=1', { accept });
    await grant(world, 'b');
    expect(stream.head?.contentType).toBe('application/vnd.kubernetes.protobuf;stream=watch');
    const bytes = Buffer.concat(stream.chunks as Uint8Array[]);
    const first = bytes.readUInt32BE(0);
    const second = bytes.readUInt32BE(4 + first);
    expect(8 + first + second).toBe(bytes.length);
    const framed = await watch(world, 'watch=1', { accept, client: new WatchClient({ framed: true }) });
    const [a] = framed.chunks as Uint8Array[];
    expect(framed.chunks).toHaveLength(2);
    expect(Buffer.from(a!)).toEqual(bytes.subarray(4, 4 + first));
    // The object inside of the event is in its envelope.
    expect(Buffer.from(a!).includes('k8s\0')).toBe(true);
  });

  it('one by one are messages of text, in JSON', async () => {
    const world = await World.start();
    await grant(world, 'a');
    await grant(world, 'b');
    const client = await watch(world, 'watch=1', { client: new WatchClient({ framed: true }) });
    expect(client.chunks.map((chunk) => typeof chunk)).toEqual(['string', 'string']);
    expect(client.seen).toEqual(['ADDED a h', 'ADDED b h']);
  });

  it('are written once for all watches of a form', async () => {
    const world = await World.start();
    const accepts = [undefined, undefined, 'application/vnd.kubernetes.protobuf', 'application/vnd.kubernetes.protobuf', table];
    const clients = await Promise.all(accepts.map((accept) => watch(world, 'watch=1', { accept: accept ?? 'application/json' })));
    const selecting = await watch(world, 'watch=1&labelSelector=!none');
    await grant(world, 'a');
    const [json, json2, protobuf, protobuf2, asTable] = clients.map(({ chunks }) => chunks[0]);
    expect(json2).toBe(json);
    expect(protobuf2).toBe(protobuf);
    expect(selecting.chunks[0]).toBe(json);
    expect(new Set([json, protobuf, asTable]).size).toBe(3);
  });

  it('of a change that takes a lease out of one selection are not those of another one', async () => {
    const world = await World.start();
    await grant(world, 'a', 'h', { labels: { env: 'prod' } });
    const everything = await watch(world, `watch=1&resourceVersion=${world.coordinator.revision}`);
    const prod = await watch(world, `watch=1&labelSelector=env=prod&resourceVersion=${world.coordinator.revision}`);
    const dev = await watch(world, `watch=1&labelSelector=env=dev&resourceVersion=${world.coordinator.revision}`);
    await relabel(world, 'a', 'dev');
    const seen = [everything, prod, dev].map(({ events }) =>
      events.map(({ type, object }) => `${type} ${object.metadata.labels!['env']!}`),
    );
    expect(seen).toEqual([['MODIFIED dev'], ['DELETED prod'], ['ADDED dev']]);
  });
});

describe('whoever applies all events', () => {
  it('has what there is, whenever the watch began and however slow it was', async () => {
    const world = await World.start({ recentChangesMax: 3 });
    const clients: WatchClient[] = [];
    for (let round = 0; round < 60; round++) {
      const name = `lease-${(round * 7) % 11}`;
      const answer = await world.do({ ...acquire('h', { labels: { env: round % 3 === 0 ? 'prod' : 'dev' } }), name });
      if (round % 4 === 0) {
        clients.push(await watch(world, `watch=1&labelSelector=${round % 8 === 0 ? 'env=prod' : ''}`));
      }
      if (answer.kind === 'granted') {
        await world.do({ ...release(answer.record.fencingToken), name });
        await (round % 5 === 0 ? world.do({ ...remove({ uid: answer.record.uid }), name }) : relabel(world, name, 'prod'));
      }
      clients.forEach((client, index) => client.drain((round + index) % 3));
    }
    clients.forEach((client) => client.drain());
    await settle();
    await world.clock.advance(0);
    const now = world.coordinator.records('default');
    clients.forEach((client, index) => {
      const state = new Map<string, string>();
      client.events.forEach(({ type, object: { metadata } }) => {
        expect(state.has(metadata.name!)).toBe(type !== 'ADDED');
        if (type === 'DELETED') {
          state.delete(metadata.name!);
        } else {
          state.set(metadata.name!, metadata.resourceVersion!);
        }
      });
      const expected = now.filter(({ labels }) => index % 2 === 1 || labels['env'] === 'prod');
      expect([...state].sort()).toEqual(expected.map(({ name, resourceVersion }) => [name, String(resourceVersion)]));
    });
  });
});
