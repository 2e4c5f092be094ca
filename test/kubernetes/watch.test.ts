import { describe, expect, it } from 'vitest';
import { defaultLimits } from '@leasehold/core';
import { acquire, release, remove, renew, World } from '../core/world.js';
import { settle } from '@leasehold/sdk/testing';
import { grant, placesOf, refusalOf, relabel, watch, WatchClient } from './watch-support.js';

const all = { namespace: undefined, name: undefined };

describe('a watch without a version', () => {
  it.each(['watch=1', 'watch=1&resourceVersion=0', 'watch=1&resourceVersion=', ''])(
    'begins with what there is, in order, and goes on with what happens (%j)',
    async (query) => {
      const world = await World.start();
      await grant(world, 'b');
      const before = await grant(world, 'a');
      const client = await watch(world, query);
      expect(client.head).toEqual({ contentType: 'application/json' });
      await world.do({ ...renew(world, 'h', before.fencingToken), name: 'a' });
      await world.do({ ...remove({ uid: before.uid }), name: 'a' });
      await grant(world, 'c');
      expect(client.seen).toEqual(['ADDED a h', 'ADDED b h', 'MODIFIED a h', 'DELETED a h', 'ADDED c h']);
      const [, , renewed, deleted, added] = client.versions;
      expect([renewed, deleted, added]).toEqual([1n, 2n, 3n].map((step) => before.resourceVersion + step));
    },
  );

  it('shows leases as gets do', async () => {
    const world = await World.start();
    const { uid, fencingToken } = await grant(world, 'a', 'h', { labels: { env: 'prod' } });
    const [event] = (await watch(world)).events;
    expect(event).toMatchObject({
      type: 'ADDED',
      object: {
        kind: 'Lease',
        apiVersion: 'coordination.k8s.io/v1',
        metadata: {
          ...{ name: 'a', namespace: 'default', uid, labels: { env: 'prod' } },
          annotations: { 'leasehold.dev/state': 'HELD', 'leasehold.dev/token': String(fencingToken) },
        },
        spec: { holderIdentity: 'h', leaseDurationSeconds: 10 },
      },
    });
  });

  it('begins with now if it wants no initial events', async () => {
    const world = await World.start();
    await grant(world, 'a');
    for (const version of ['', '0']) {
      const client = await watch(
        world,
        `watch=1&sendInitialEvents=false&resourceVersionMatch=NotOlderThan&resourceVersion=${version}`,
      );
      await grant(world, `b${version}`);
      expect(client.seen).toEqual([`ADDED b${version} h`]);
    }
  });
});

describe('a watch from a version', () => {
  it.each([
    ['in memory', {}],
    ['in the store', { recentChangesMax: 2 }],
  ])('tells everything after it, and nothing twice (history %s)', async (_where, options) => {
    const world = await World.start(options);
    const whole = await watch(world);
    for (let round = 0; round < 20; round++) {
      const { fencingToken, uid } = await grant(world, `lease-${round % 3}`);
      await world.do({ ...release(fencingToken), name: `lease-${round % 3}` });
      if (round % 4 === 3) {
        await world.do({ ...remove({ uid }), name: `lease-${round % 3}` });
      }
    }
    const { events, versions } = whole;
    expect(events).toHaveLength(45);
    for (let at = 0; at < 45; at += 4) {
      expect((await watch(world, `watch=1&resourceVersion=${versions[at]}`)).events).toEqual(events.slice(at + 1));
    }
  });

  it('that is too old is told so by an event, and ends', async () => {
    const world = await World.start({ recentChangesMax: 1 });
    const start = world.coordinator.revision;
    for (const name of ['a', 'b', 'c']) {
      await grant(world, name);
    }
    world.disk.history.splice(0, 2);
    world.disk.floor = start + 2n;
    const client = await watch(world, `watch=1&resourceVersion=${start}`);
    expect(client.head).toEqual({ contentType: 'application/json' });
    expect(client.events).toEqual([
      {
        type: 'ERROR',
        object: {
          ...{ kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', code: 410, reason: 'Expired' },
          message: `too old resource version: ${start} (${start + 2n})`,
        },
      },
    ]);
    expect(client.ended).toBe(true);
  });

  it('that was never issued here is as one that is too old', async () => {
    const world = await World.start();
    await grant(world, 'a');
    const { revision } = world.coordinator;
    world.clock.jumpWall(60_000);
    await world.startServer();
    await grant(world, 'b');
    const client = await watch(world, `watch=1&resourceVersion=${revision + 1n}`);
    expect(client.events.map(({ object }) => object.code)).toEqual([410]);
    expect(client.ended).toBe(true);
  });

  it('in the future is answered at once, and after 3 s told that there is none', async () => {
    const world = await World.start();
    const current = world.coordinator.revision;
    const client = await watch(world, `watch=1&resourceVersion=${current + 10n}`);
    expect(client.head).toBeDefined();
    await world.clock.advance(2999);
    expect(client.events).toEqual([]);
    await world.clock.advance(1);
    expect(client.events).toEqual([
      {
        type: 'ERROR',
        object: {
          ...{ kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', code: 504, reason: 'Timeout' },
          message: `Timeout: Too large resource version: ${current + 10n}, current: ${current}`,
          details: {
            causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }],
            retryAfterSeconds: 1,
          },
        },
      },
    ]);
    expect(client.ended).toBe(true);
  });

  it('in the near future waits for it', async () => {
    const world = await World.start();
    const { resourceVersion } = await grant(world, 'a');
    const client = await watch(world, `watch=1&resourceVersion=${resourceVersion + 1n}`);
    await grant(world, 'b');
    await grant(world, 'c');
    expect(client.seen).toEqual(['ADDED c h']);
  });
});

describe('initial events', () => {
  const initial = 'watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan';

  it('end with a bookmark that says so', async () => {
    const world = await World.start();
    await grant(world, 'a');
    const { resourceVersion } = await grant(world, 'b');
    const client = await watch(world, `${initial}&allowWatchBookmarks=true`);
    await grant(world, 'c');
    expect(client.seen).toEqual(['ADDED a h', 'ADDED b h', 'BOOKMARK', 'ADDED c h']);
    expect(client.events[2]).toEqual({
      type: 'BOOKMARK',
      object: {
        ...{ kind: 'Lease', apiVersion: 'coordination.k8s.io/v1', spec: {} },
        metadata: { resourceVersion: String(resourceVersion), annotations: { 'k8s.io/initial-events-end': 'true' } },
      },
    });
  });

  it('end without one for a client that takes no bookmarks', async () => {
    const world = await World.start();
    await grant(world, 'a');
    expect((await watch(world, initial)).seen).toEqual(['ADDED a h']);
  });

  it('are those of a version asked for or a later one', async () => {
    const world = await World.start();
    const { resourceVersion } = await grant(world, 'a');
    const old = await watch(world, `${initial}&resourceVersion=${resourceVersion - 1n}`);
    const ahead = await watch(world, `${initial}&allowWatchBookmarks=1&resourceVersion=${resourceVersion + 1n}`);
    expect(old.seen).toEqual(['ADDED a h']);
    expect(ahead.head).toBeDefined();
    expect(ahead.seen).toEqual([]);
    await grant(world, 'b');
    await grant(world, 'c');
    expect(ahead.seen).toEqual(['ADDED a h', 'ADDED b h', 'BOOKMARK', 'ADDED c h']);
    const never = await watch(world, `${initial}&resourceVersion=${resourceVersion + 99n}`);
    await world.clock.advance(3000);
    expect(never.events.map(({ object }) => object.code)).toEqual([504]);
    expect(never.ended).toBe(true);
  });
});

describe('of one version', () => {
  it('a watch is told one change: the release is not told when a grant follows', async () => {
    const world = await World.start();
    const { fencingToken } = await grant(world, 'example', 'a');
    const client = await watch(world);
    void world.coordinator.submit(acquire('b', {}, { waitMs: 60_000 }));
    await settle();
    await world.do(release(fencingToken));
    expect(client.seen).toEqual(['ADDED example a', 'MODIFIED example b']);
    expect(client.versions[1]).toBe(fencingToken + 1n);
  });

  it('a lease that leaves the selection by its grant is deleted, and one that comes into it is added', async () => {
    const world = await World.start();
    const { fencingToken } = await grant(world, 'example', 'a', { labels: { env: 'prod' } });
    const left = await watch(world, 'watch=1&labelSelector=env=prod');
    const entered = await watch(world, 'watch=1&labelSelector=env=test');
    void world.coordinator.submit(acquire('b', { labels: { env: 'test' } }, { waitMs: 60_000 }));
    await settle();
    await world.do(release(fencingToken));
    expect(left.events.map(({ type, object }) => [type, object.metadata.labels])).toEqual([
      ['ADDED', { env: 'prod' }],
      ['DELETED', { env: 'prod' }],
    ]);
    expect(entered.seen).toEqual(['ADDED example b']);
  });
});

describe('selectors', () => {
  it('of labels turn changes into arrivals and departures', async () => {
    const world = await World.start();
    await grant(world, 'a', 'h', { labels: { env: 'prod' } });
    await grant(world, 'b', 'h', { labels: { env: 'dev' } });
    const client = await watch(world, 'watch=1&labelSelector=env%3Dprod');
    await relabel(world, 'b', 'prod');
    await relabel(world, 'a', 'test');
    const left = world.coordinator.revision;
    await relabel(world, 'a', 'stage');
    await world.do({ ...remove({ uid: world.coordinator.get('default', 'a').record.uid }), name: 'a' });
    await world.do({ ...remove({ uid: world.coordinator.get('default', 'b').record.uid }), name: 'b' });
    expect(client.seen).toEqual(['ADDED a h', 'ADDED b h', 'DELETED a h', 'DELETED b h']);
    // The last state in which the client had it, at the version in which it left.
    expect(client.events[2]?.object.metadata).toMatchObject({ labels: { env: 'prod' }, resourceVersion: String(left) });
  });

  it.each([
    ['metadata.name=a', ['default/a']],
    ['metadata.name!=a', ['default/b']],
    ['metadata.namespace=default,metadata.name=b', ['default/b']],
    ['metadata.namespace=other', []],
  ])('of fields choose: %s in a namespace', async (selector, expected) => {
    const world = await World.start();
    const query = `watch=1&fieldSelector=${encodeURIComponent(selector)}`;
    const early = await watch(world, query);
    for (const name of ['a', 'b']) {
      await grant(world, name);
      await world.do({ ...acquire('h'), name, namespace: 'other' });
    }
    for (const client of [early, await watch(world, query)]) {
      expect(placesOf(client)).toEqual(expected);
    }
  });

  it.each([
    ['metadata.name=a', ['default/a', 'other/a']],
    ['metadata.namespace=other', ['other/a', 'other/b']],
    ['metadata.namespace=other,metadata.name=b', ['other/b']],
    ['metadata.namespace!=other', ['default/a', 'default/b']],
  ])('of fields choose: %s in all namespaces', async (selector, expected) => {
    const world = await World.start();
    const query = `watch=1&fieldSelector=${encodeURIComponent(selector)}`;
    const early = await watch(world, query, { target: all });
    for (const namespace of ['default', 'other']) {
      for (const name of ['a', 'b']) {
        await world.do({ ...acquire('h'), name, namespace });
      }
    }
    for (const client of [early, await watch(world, query, { target: all })]) {
      expect(placesOf(client)).toEqual(expected);
    }
  });

  it('go with a path that names one lease', async () => {
    const world = await World.start();
    await grant(world, 'a');
    await grant(world, 'b');
    const target = { namespace: 'default', name: 'a' };
    expect((await watch(world, '', { target })).seen).toEqual(['ADDED a h']);
    expect((await watch(world, 'fieldSelector=metadata.name=a', { target })).seen).toEqual(['ADDED a h']);
    expect((await watch(world, 'labelSelector=x', { target })).seen).toEqual([]);
    expect(await refusalOf(watch(world, 'fieldSelector=metadata.name=b', { target }))).toEqual({
      ...{ code: 400, reason: 'BadRequest' },
      message: "fieldSelector metadata.name doesn't match requested name",
    });
  });
});

describe('a watch is refused', () => {
  it.each([
    [
      'watch=1&resourceVersion=abc',
      500,
      undefined,
      /^resourceVersion: Invalid value: "abc": strconv\.ParseUint: parsing "abc": invalid syntax$/,
    ],
    ['watch=1&resourceVersion=18446744073709551616', 500, undefined, /value out of range/],
    ['watch=1&labelSelector=%3Dx', 400, 'BadRequest', /found '='/],
    ['watch=1&fieldSelector=nonsense', 400, 'BadRequest', /can't understand 'nonsense'/],
    ['watch=1&timeoutSeconds=soon', 400, 'BadRequest', /parsing "soon": invalid syntax/],
    ['watch=1&sendInitialEvents=true', 422, 'Invalid', /sendInitialEvents requires setting resourceVersionMatch to NotOlderThan/],
    ['watch=1&resourceVersionMatch=NotOlderThan', 422, 'Invalid', /forbidden for watch unless sendInitialEvents is provided/],
    [
      'watch=1&sendInitialEvents=1&resourceVersionMatch=Exact',
      422,
      'Invalid',
      /Unsupported value: "Exact": supported values: "NotOlderThan"/,
    ],
    [
      'sendInitialEvents=true&resourceVersionMatch=NotOlderThan&resourceVersion=1',
      422,
      'Invalid',
      /sendInitialEvents is forbidden for list/,
    ],
  ])('for %s', async (query, code, reason, message) => {
    const world = await World.start();
    const client = new WatchClient();
    const refusal = await refusalOf(watch(world, query, { client }));
    expect(refusal).toEqual({ code, reason, message: expect.stringMatching(message) as string });
    expect(client.head).toBeUndefined();
  });

  it('as YAML, and as a table with what no table has', async () => {
    const world = await World.start();
    expect((await refusalOf(watch(world, 'watch=1', { accept: 'application/yaml' }))).code).toBe(406);
    const accept = 'application/json;as=Table;v=v1;g=meta.k8s.io';
    expect((await refusalOf(watch(world, 'watch=1&includeObject=All', { accept }))).code).toBe(400);
  });

  it('past the limit, before it is answered', async () => {
    const world = await World.start({ limits: { ...defaultLimits, watchersMax: 1 } });
    const first = await watch(world);
    const second = new WatchClient();
    await expect(watch(world, 'watch=1', { client: second })).rejects.toMatchObject({ reason: 'LIMIT_EXCEEDED' });
    expect(second.head).toBeUndefined();
    first.leave();
    expect((await watch(world, 'watch=1', { client: second })).head).toBeDefined();
  });
});
