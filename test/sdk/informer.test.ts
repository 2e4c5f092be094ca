import {
  createClient,
  InvalidError,
  RefusedError,
  WatchExpiredError,
  type Client,
  type Informer,
  type InformerOptions,
  type Lease,
  type LeaseChange,
  type LeaseEvent,
  type LeasePage,
} from '@leasehold/sdk';
import { FakeClock, TestLink, TestServer } from '@leasehold/sdk/testing';
import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { leaseOf } from './support/fake-transport.js';
import { ScriptedServer, shown } from './support/informers.js';

describe('an informer', () => {
  let server: TestServer;
  let client: Client;

  beforeEach(async () => {
    server = await TestServer.start();
    onTestFinished(() => server.close());
    client = server.client();
  });

  async function informerOf(options: InformerOptions = {}, of: Client = client): Promise<{ cache: Informer; told: string[] }> {
    const cache = of.informer(options);
    const told: string[] = [];
    cache.on('change', (change) => told.push(shown(change)));
    await cache.waitForSync();
    return { cache, told };
  }

  it('fills its cache from all pages, and then follows every change', async () => {
    for (let index = 0; index < 2100; index += 1) await client.create(`lease-${index}`);
    const { cache, told } = await informerOf();
    expect([cache.size, new Set([...cache].map(({ name }) => name)).size, told.length]).toEqual([2100, 2100, 2100]);
    expect(cache.get('lease-2099')).toMatchObject({ state: 'AVAILABLE' });
    told.length = 0;

    const { granted } = await client.acquire('lease-7', { holder: 'a' });
    await granted!.setAnnotations({ at: 'here' });
    await granted!.release();
    await client.create('new');
    await client.delete('new');
    await server.clock.advance(0);
    expect(told).toEqual([
      'update lease-7 ACQUIRED',
      'update lease-7 UPDATED',
      'update lease-7 RELEASED',
      'add new CREATED',
      'delete new DELETED',
    ]);
    expect(cache.get('lease-7')).toMatchObject({ state: 'AVAILABLE', annotations: { at: 'here' } });
    expect(cache.get('new')).toBeUndefined();
    expect(cache.size).toBe(2100);
  });

  it('calls handlers by the kind of change, with the lease before and after, the cache being up to date', async () => {
    const { cache } = await informerOf();
    const seen: unknown[] = [];
    for (const name of ['add', 'update', 'delete'] as const) {
      cache.on(name, ({ type, previous, lease }) => {
        seen.push([name === type, previous?.annotations['v'], lease.annotations['v'], cache.get('x')?.annotations['v']]);
      });
    }
    const remove = cache.on('change', () => seen.push('change'));
    await client.create('x', { annotations: { v: '1' } });
    await server.clock.advance(0);
    remove();
    await client.update('x', { annotations: { v: '2' } });
    await client.delete('x');
    await server.clock.advance(0);
    expect(seen).toEqual([[true, undefined, '1', '1'], 'change', [true, '1', '2', '2'], [true, '2', '2', undefined]]);
  });

  it('follows one namespace or all, and finds leases by name in them', async () => {
    await client.create('x');
    await client.create('x', { namespace: 'other', labels: { from: 'other' } });
    const one = await informerOf({ namespace: 'other' });
    const all = await informerOf({ allNamespaces: true });
    expect([one.cache.size, all.cache.size]).toEqual([1, 2]);
    expect(one.cache.get('x')?.labels).toEqual({ from: 'other' });
    expect(all.cache.get('x')?.labels).toEqual({});
    expect(all.cache.get('x', 'other')?.labels).toEqual({ from: 'other' });
    await client.create('y', { namespace: 'other' });
    await server.clock.advance(0);
    expect([one.cache.size, all.cache.size]).toEqual([2, 3]);
  });

  it('deletes a lease that leaves the selection, and adds one that comes into it', async () => {
    await client.create('x', { labels: { app: 'foo' } });
    await client.create('y', { labels: { app: 'bar' } });
    const { cache, told } = await informerOf({ labelSelector: 'app=foo' });
    await client.update('x', { labels: { app: 'bar' } });
    await client.update('y', { labels: { app: 'foo' } });
    await server.clock.advance(0);
    expect(told).toEqual(['add x LISTED', 'delete x UNSELECTED', 'add y UPDATED']);
    expect([...cache].map(({ name }) => name)).toEqual(['y']);
  });

  it('finds leases by the value of an indexed label, as it is now', async () => {
    await client.create('a', { labels: { app: 'foo', tier: 'web' } });
    await client.create('b', { labels: { app: 'foo' } });
    const { cache } = await informerOf({ indexLabels: ['app', 'tier'] });
    const names = (label: string, value: string) => cache.byLabel(label, value).map(({ name }) => name);
    expect([names('app', 'foo'), names('tier', 'web'), names('tier', 'db')]).toEqual([['a', 'b'], ['a'], []]);
    await client.update('a', { labels: { app: 'bar', tier: undefined } });
    await client.delete('b');
    await client.create('c', { labels: { app: 'foo' } });
    await server.clock.advance(0);
    expect([names('app', 'foo'), names('app', 'bar'), names('tier', 'web')]).toEqual([['c'], ['a'], []]);
    await client.update('c', { annotations: { v: '2' } });
    await server.clock.advance(0);
    expect(cache.byLabel('app', 'foo')).toMatchObject([{ annotations: { v: '2' } }]);
    expect(() => cache.byLabel('other', 'x')).toThrow(InvalidError);
  });

  it('keeps a lease that has expired, as such', async () => {
    const process = server.clock.process();
    await server.client({ clock: process }).acquire('x', { holder: 'a', durationMs: 5000 });
    const { cache, told } = await informerOf();
    process.kill();
    await server.clock.advance(6000);
    expect(told).toEqual(['add x LISTED', 'update x EXPIRED']);
    expect(cache.get('x')).toMatchObject({ state: 'EXPIRED', holder: 'a' });
  });

  it('follows renewals only when asked to', async () => {
    const { granted } = await client.acquire('x', { durationMs: 60_000 });
    const without = await informerOf();
    const withThem = await informerOf({ includeRenewals: true });
    await client.renew('x', { fencingToken: granted!.fencingToken });
    await server.clock.advance(0);
    expect(without.told).toEqual(['add x LISTED']);
    expect(withThem.told).toEqual(['add x LISTED', 'update x RENEWED']);
  });

  it('goes on over cut connections and a restart of the server: each change once, and no second list', async () => {
    const link = new TestLink();
    const transport = server.transport({ link });
    const list = vi.spyOn(transport, 'list');
    const other = createClient({ transport, clock: server.clock });
    onTestFinished(() => other.close());
    await client.create('x');
    const { cache, told } = await informerOf({}, other);
    link.cut();
    await client.update('x', { annotations: { v: '1' } });
    await client.create('y');
    await server.clock.advance(5000);
    expect(told).toEqual(['add x LISTED']);
    link.restore();
    await server.clock.advance(2000);
    expect(told).toEqual(['add x LISTED', 'update x UPDATED', 'add y CREATED']);
    server.crash();
    await server.clock.advance(2000);
    await server.restart();
    await client.delete('y');
    await server.clock.advance(2000);
    expect(told.slice(3)).toEqual(['delete y DELETED']);
    expect([...cache].map(({ name }) => name)).toEqual(['x']);
    expect(list).toHaveBeenCalledTimes(1);
  });
});

describe('an informer that lists again', () => {
  it('tells the differences: what came, what changed, what went, and a record that was made anew as both', async () => {
    const { script, clock, told, informer } = scripted();
    script.lists.push([page(10n, lease('same', 1n), lease('changed', 2n), lease('gone', 3n), lease('anew', 4n))]);
    script.plays([], expired);
    script.lists.push([
      page(50n, lease('same', 1n), lease('changed', 20n)),
      page(50n, lease('anew', 40n, 'anew-2'), lease('new', 41n)),
    ]);
    const resyncs: number[] = [];
    informer.on('resync', () => resyncs.push(told.length));
    informer.on('error', (error) => told.push(String(error)));
    await clock.advance(1000);
    expect(told).toEqual([
      ...['add same LISTED', 'add changed LISTED', 'add gone LISTED', 'add anew LISTED'],
      ...['update changed LISTED', 'delete anew LISTED', 'add anew LISTED', 'add new LISTED', 'delete gone LISTED'],
    ]);
    expect([...informer].map(({ name, uid, resourceVersion }) => `${name} ${uid} ${resourceVersion}`).sort()).toEqual([
      ...['anew anew-2 40', 'changed changed-1 20', 'new new-1 41', 'same same-1 1'],
    ]);
    expect(script.watchedFrom).toEqual([10n, 50n]);
    expect(resyncs).toEqual([9]);
  });

  it('says nothing of renewals that it did not ask for, but takes them', async () => {
    const renewed = (version: bigint) =>
      leaseOf({ ...lease('x', version), annotations: {}, renewTime: new Date(Number(version)), remainingMs: 5 });
    for (const includeRenewals of [false, true]) {
      const { script, clock, told, informer } = scripted({ includeRenewals });
      script.lists.push([page(10n, renewed(1n))], [page(50n, renewed(20n))], [page(60n, renewed(20n))]);
      script.plays([], expired);
      script.plays([], expired);
      await clock.advance(1000);
      expect(script.listed).toBe(3);
      expect(told).toEqual(['add x LISTED', ...(includeRenewals ? ['update x LISTED'] : [])]);
      expect(informer.get('x')?.resourceVersion).toBe(20n);
    }
  });

  it('takes what the list says over what it had, also where a store was put back', async () => {
    const { script, clock, told, informer } = scripted();
    script.lists.push([page(80n, leaseOf({ ...lease('x', 80n), holder: 'new' }))]);
    script.plays([], expired);
    script.lists.push([page(60n, leaseOf({ ...lease('x', 50n), holder: 'old' }))]);
    await clock.advance(1000);
    expect(told).toEqual(['add x LISTED', 'update x LISTED']);
    expect(informer.get('x')).toMatchObject({ holder: 'old' });
  });

  it('never puts an older version over one that a later page showed, nor deletes by it', async () => {
    const { script, clock, told, informer } = scripted();
    script.lists.push([page(10n, lease('a', 5n)), page(10n, lease('b', 14n), lease('c', 16n, 'c-2'))]);
    script.plays([
      event('UPDATED', lease('b', 11n)),
      event('DELETED', lease('c', 9n), 12n),
      event('UPDATED', lease('a', 13n)),
      event('UPDATED', lease('b', 14n)),
      event('CREATED', lease('c', 16n, 'c-2')),
      event('UPDATED', lease('b', 17n)),
      event('RELEASED', lease('c', 18n, 'c-2')),
      event('ACQUIRED', lease('c', 18n, 'c-2')),
    ]);
    await clock.advance(1000);
    expect(told.slice(3)).toEqual(['update a UPDATED', 'update b UPDATED', 'update c RELEASED', 'update c ACQUIRED']);
    expect([...informer].map(({ resourceVersion }) => resourceVersion)).toEqual([13n, 17n, 18n]);
  });

  it('waits longer and longer between attempts that fail, and says why', async () => {
    const { script, clock, informer } = scripted();
    const errors: Error[] = [];
    informer.on('error', (error) => errors.push(error));
    for (let attempts = 0; attempts < 40; attempts += 1) script.lists.push([page(10n), refused]);
    await clock.advance(1000);
    const early = script.listed;
    expect(early).toBeGreaterThan(3);
    await clock.advance(60_000);
    const late = script.listed;
    await clock.advance(60_000);
    expect(script.listed - late).toBeLessThanOrEqual(4);
    expect(errors).toHaveLength(script.listed);
    expect(errors[0]).toBe(refused);
  });

  it('begins with short waits again after a watch that lasted', async () => {
    const { script, clock } = scripted();
    for (let attempts = 0; attempts < 12; attempts += 1) script.lists.push([refused]);
    script.lists.push([page(10n)]);
    let fail = (): void => undefined;
    script.transport.watch = async function* () {
      yield* [];
      await new Promise((_, reject) => {
        fail = () => {
          reject(expired);
        };
      });
    };
    await clock.advance(300_000);
    expect(script.listed).toBe(13);
    fail();
    await clock.advance(100);
    expect(script.listed).toBe(14);
  });
});

describe('waiting for the sync of an informer', () => {
  it('ends after its time with the reason, while the informer tries on', async () => {
    const { script, clock, informer } = scripted();
    script.lists.push([refused]);
    const waiting = informer.waitForSync({ timeoutMs: 40 }).catch((error: unknown) => error);
    script.lists.push([refused], [page(10n)]);
    await clock.advance(50);
    expect(await waiting).toMatchObject({ name: 'UnavailableError', reason: 'TIMED_OUT', cause: refused });
    expect(informer.synced).toBe(false);
    await clock.advance(1000);
    await informer.waitForSync();
    expect(informer.synced).toBe(true);
  });

  it('gives up after 30 s by default', async () => {
    const { clock, informer } = scripted();
    const waiting = expect(informer.waitForSync()).rejects.toMatchObject({ reason: 'TIMED_OUT' });
    await clock.advance(30_000);
    await waiting;
  });

  it('ends with the reason of its signal', async () => {
    const { informer } = scripted();
    const abort = new AbortController();
    const waiting = expect(informer.waitForSync({ signal: abort.signal })).rejects.toThrow('enough');
    abort.abort(new Error('enough'));
    await waiting;
  });
});

describe('the end of an informer', () => {
  it('is quiet when it is closed: iterations finish, waits reject, nothing changes any more', async () => {
    const { script, clock, told, informer } = scripted();
    script.lists.push([page(10n, lease('x', 1n)), page(10n, lease('y', 2n))]);
    informer.on('add', () => {
      informer.close();
    });
    const iterating = collect(informer.changes());
    const waiting = expect(informer.waitForSync()).rejects.toMatchObject({ reason: 'INFORMER_CLOSED' });
    await clock.advance(60_000);
    await waiting;
    expect(await iterating).toEqual([]);
    expect(await collect(informer.changes())).toEqual([]);
    expect(told).toEqual(['add x LISTED']);
    expect(clock.timers).toBe(0);
  });

  it('comes at once also in the middle of what has been received, for handlers and for slow iterations', async () => {
    const { script, clock, told, informer } = scripted();
    script.lists.push([page(10n, lease('x', 1n), lease('y', 2n))]);
    script.plays([event('UPDATED', lease('x', 11n)), event('UPDATED', lease('y', 12n))]);
    const ends: unknown[] = [];
    informer.on('end', (error) => ends.push(error));
    const changes = informer.changes();
    const first = changes.next();
    informer.on('update', () => {
      informer.close();
    });
    await clock.advance(60_000);
    expect(shown((await first).value as LeaseChange)).toBe('add x LISTED');
    expect(await changes.next()).toEqual({ done: true, value: undefined });
    expect(told).toEqual(['add x LISTED', 'add y LISTED', 'update x UPDATED']);
    expect(ends).toEqual([undefined]);
  });

  it('leaves the cache as it is', async () => {
    const { script, clock, informer } = scripted();
    script.lists.push([page(10n, lease('x', 1n))]);
    await clock.advance(0);
    await informer[Symbol.asyncDispose]();
    await informer.waitForSync();
    expect(informer.get('x')).toBeDefined();
  });

  it.each(['list', 'watch', 'pause'])('comes with its signal, whose reason everything throws: in a %s', async (moment) => {
    const { script, clock, abort, informer } = scripted();
    if (moment === 'watch') script.lists.push([page(10n)]);
    if (moment === 'pause') script.lists.push([refused]);
    const ends: unknown[] = [];
    informer.on('end', (error) => ends.push(error));
    const iterating = collect(informer.changes()).catch((error: unknown) => error);
    await clock.advance(0);
    abort.abort(new Error('enough'));
    expect(await iterating).toMatchObject({ message: 'enough' });
    await expect(collect(informer.changes())).rejects.toThrow('enough');
    expect(ends).toMatchObject([{ message: 'enough' }]);
    if (moment !== 'watch') await expect(informer.waitForSync()).rejects.toThrow('enough');
    expect(clock.timers).toBe(0);
  });

  it('comes with the client', async () => {
    const server = await TestServer.start();
    onTestFinished(() => server.close());
    const client = server.client();
    const informer = client.informer();
    const iterating = collect(informer.changes()).catch((error: unknown) => error);
    await informer.waitForSync();
    await client.close();
    expect(await iterating).toMatchObject({ name: 'ClientClosedError' });
    await expect(client.informer().waitForSync()).rejects.toMatchObject({ name: 'ClientClosedError' });
  });

  it('comes with options that the server refuses', async () => {
    const server = await TestServer.start();
    onTestFinished(() => server.close());
    const informer = server.client().informer({ labelSelector: '!!' });
    const errors: Error[] = [];
    informer.on('error', (error) => errors.push(error));
    await expect(informer.waitForSync()).rejects.toBeInstanceOf(InvalidError);
    await expect(collect(informer.changes())).rejects.toBeInstanceOf(InvalidError);
    expect(errors).toMatchObject([{ name: 'InvalidError' }]);
  });
});

describe('a handler that throws', () => {
  it('keeps nothing else from going on, and its error goes to those who listen for errors', async () => {
    const { script, clock, informer } = scripted();
    script.lists.push([page(10n, lease('x', 1n), lease('y', 2n))]);
    const seen: string[] = [];
    informer.on('change', ({ lease: { name } }) => {
      throw new Error(`cannot take ${name}`);
    });
    informer.on('change', (change) => seen.push(shown(change)));
    informer.on('error', ({ message }) => seen.push(message));
    await clock.advance(0);
    expect(seen).toEqual(['cannot take x', 'add x LISTED', 'cannot take y', 'add y LISTED']);
    expect(informer.synced).toBe(true);
  });

  it.each(['change', 'error'] as const)('is an unhandled rejection where nobody listens: %s', async (name) => {
    const { script, clock, informer } = scripted();
    script.lists.push([page(10n, lease('x', 1n)), refused]);
    const unhandled = unhandledRejection();
    informer.on(name, () => {
      throw new Error('my fault');
    });
    await clock.advance(0);
    expect(await unhandled).toMatchObject({ message: 'my fault' });
    expect(informer.size).toBe(1);
  });
});

describe('iterating over the changes of an informer', () => {
  it('begins with what is in the cache', async () => {
    const { script, clock, informer } = scripted();
    script.lists.push([page(10n, lease('x', 1n), lease('y', 2n))]);
    await clock.advance(0);
    expect(await take(informer, clock, 2)).toEqual(['add x LISTED', 'add y LISTED']);
  });

  it('combines what a slow reader has not come to, for each record', async () => {
    const { script, clock, informer } = scripted();
    const names = ['updated', 'deleted', 'anew', 'reselected'];
    script.lists.push([page(10n, ...names.map((name) => lease(name, 1n)))]);
    let change = (_: readonly LeaseEvent[]): void => undefined;
    script.transport.watch = async function* () {
      const events = await new Promise<readonly LeaseEvent[]>((resolve) => {
        change = resolve;
      });
      yield { events, revision: 24n };
      await new Promise(() => undefined);
    };
    await clock.advance(0);
    const changes = informer.changes();
    for (let taken = 0; taken < 4; taken += 1) await changes.next();
    change([
      event('UPDATED', lease('updated', 11n)),
      event('ACQUIRED', lease('updated', 12n)),
      event('UPDATED', lease('deleted', 13n)),
      event('DELETED', lease('deleted', 13n), 14n),
      event('DELETED', lease('anew', 1n), 15n),
      event('CREATED', lease('anew', 16n, 'anew-2')),
      event('DELETED', lease('anew', 16n, 'anew-2'), 17n),
      event('CREATED', lease('anew', 18n, 'anew-3')),
      event('ACQUIRED', lease('anew', 19n, 'anew-3')),
      event('DELETED', lease('reselected', 20n), 20n),
      event('UPDATED', lease('reselected', 21n)),
      event('CREATED', lease('came and went', 22n)),
      event('DELETED', lease('came and went', 22n), 23n),
      event('CREATED', lease('last', 24n)),
    ]);
    await clock.advance(0);
    const seen: string[] = [];
    for (let taken = 0; taken < 6; taken += 1) {
      const { value } = await changes.next();
      const { type, lease: now, previous, reason } = value as LeaseChange;
      seen.push(`${type} ${now.name} ${previous?.resourceVersion ?? '-'} ${now.resourceVersion} ${reason}`);
    }
    expect(seen).toEqual([
      'update updated 1 12 ACQUIRED',
      'delete deleted 1 13 DELETED',
      'delete anew 1 1 DELETED',
      'add anew - 19 ACQUIRED',
      'update reselected 1 21 UPDATED',
      'add last - 24 CREATED',
    ]);
  });
});

const expired = new WatchExpiredError({ code: 'OUT_OF_RANGE', reason: 'REVISION_COMPACTED', message: 'gone' });
const refused = new RefusedError({ code: 'RESOURCE_EXHAUSTED', reason: 'LIMIT_EXCEEDED', message: 'too many watches' });

function scripted({ includeRenewals = false }: InformerOptions = {}) {
  const clock = new FakeClock();
  const script = new ScriptedServer();
  const abort = new AbortController();
  const client = createClient({ transport: script.transport, clock });
  onTestFinished(() => client.close());
  const informer = client.informer({ includeRenewals, signal: abort.signal });
  const told: string[] = [];
  informer.on('change', (change) => told.push(shown(change)));
  return { clock, script, abort, informer, told };
}

function lease(name: string, resourceVersion: bigint, uid = `${name}-1`): Lease {
  return leaseOf({ name, uid, resourceVersion, annotations: { v: String(resourceVersion) } });
}

function page(revision: bigint, ...leases: Lease[]): LeasePage {
  return { leases, revision };
}

function event(type: LeaseEvent['type'], of: Lease, revision: bigint = of.resourceVersion): LeaseEvent {
  return { type, lease: of, reason: undefined, revision, wasSelected: true };
}

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

async function take(informer: Informer, clock: FakeClock, count: number): Promise<string[]> {
  const taken: string[] = [];
  const all = (async () => {
    for await (const change of informer.changes()) {
      taken.push(shown(change));
      if (taken.length === count) break;
    }
  })();
  await clock.advance(0);
  await all;
  return taken;
}

/** The next unhandled rejection, which then fails no test. */
function unhandledRejection(): Promise<unknown> {
  const others = process.listeners('unhandledRejection');
  process.removeAllListeners('unhandledRejection');
  return new Promise((resolve) => {
    process.once('unhandledRejection', (error) => {
      for (const listener of others) process.on('unhandledRejection', listener);
      resolve(error);
    });
  });
}
