import { describe, expect, it } from 'vitest';
import { readList, type LeasePage } from '../../server/dist/kubernetes/list/read-list.js';
import { checkListOptions, readListOptions } from '../../server/dist/kubernetes/selection/list-options.js';
import type { Failure } from '../../server/dist/kubernetes/status.js';
import { StatusError } from '../../server/dist/kubernetes/status.js';
import { acquire, remove, update, World } from '../core/world.js';

interface Asked {
  /** Default: `default`. */
  readonly namespace?: string | undefined;
}

function list(world: World, query: string, asked: Asked = {}): Promise<LeasePage> {
  const options = readListOptions(new URLSearchParams(query));
  checkListOptions(options);
  const namespace = 'namespace' in asked ? asked.namespace : 'default';
  const page = readList(world.coordinator, { namespace, name: undefined }, options);
  page.catch(() => {});
  return page;
}

async function failureOf(page: Promise<LeasePage>): Promise<Failure> {
  const error: unknown = await page.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof StatusError)) {
    throw error instanceof Error ? error : new Error('Expected a refusal');
  }
  return error.status;
}

async function make(world: World, ...names: readonly string[]): Promise<void> {
  for (const place of names) {
    const [name = '', namespace = 'default'] = place.split('/').reverse();
    await world.do({ ...acquire('h', { labels: { letter: name } }), namespace, name });
  }
}

async function drop(world: World, name: string): Promise<void> {
  await world.do({ ...remove({ uid: world.coordinator.get('default', name).record.uid }), name });
}

function namesOf({ records }: LeasePage): string[] {
  return records.map(({ namespace, name }) => (namespace === 'default' ? name : `${namespace}/${name}`));
}

function tokenOf({ metadata }: LeasePage): string {
  return metadata.continue ?? '';
}

function decoded(token: string): unknown {
  return JSON.parse(Buffer.from(token, 'base64url').toString());
}

/** All pages of a list, with something happening between them. */
async function pages(
  world: World,
  query: string,
  meanwhile: (page: number) => Promise<void>,
  asked?: Asked,
): Promise<LeasePage[]> {
  const all = [await list(world, query, asked)];
  while (tokenOf(all.at(-1)!) !== '') {
    await meanwhile(all.length);
    all.push(await list(world, `${query}&continue=${tokenOf(all.at(-1)!)}`, asked));
  }
  return all;
}

describe('a list in pages', () => {
  it('is of one version, whatever happens between them', async () => {
    const world = await World.start();
    await make(world, 'a', 'b', 'c', 'd', 'e', 'f');
    const resourceVersion = String(world.coordinator.revision);
    const all = await pages(world, 'limit=2', async (page) => {
      if (page === 1) {
        await drop(world, 'd');
        await make(world, 'a0', 'c0', 'g');
        await world.do({ ...update({ labels: { letter: 'new' } }), name: 'f' });
      } else {
        await drop(world, 'f');
      }
    });
    expect(all.map(namesOf)).toEqual([
      ['a', 'b'],
      ['c', 'd'],
      ['e', 'f'],
    ]);
    expect(all.map(({ metadata: { continue: _, ...rest } }) => rest)).toEqual([
      { resourceVersion, remainingItemCount: 4 },
      { resourceVersion, remainingItemCount: 2 },
      { resourceVersion },
    ]);
    expect(all[2]?.records[1]?.labels).toEqual({ letter: 'f' });
    expect(decoded(tokenOf(all[0]!))).toEqual({ v: 'meta.k8s.io/v1', rv: Number(resourceVersion), start: 'b\0' });
  });

  it('goes over all namespaces', async () => {
    const world = await World.start();
    await make(world, 'x/b', 'x/a', 'x-y/a', 'a');
    const all = await pages(world, 'limit=1', () => make(world, 'x/c'), { namespace: undefined });
    expect(all.map(namesOf)).toEqual([['a'], ['x-y/a'], ['x/a'], ['x/b']]);
    expect(decoded(tokenOf(all[2]!))).toMatchObject({ start: 'x/a\0' });
    const ofOne = await pages(world, 'limit=2&fieldSelector=metadata.namespace=x', () => drop(world, 'a'), {
      namespace: undefined,
    });
    expect(ofOne.map(namesOf)).toEqual([['x/a', 'x/b'], ['x/c']]);
    expect(decoded(tokenOf(ofOne[0]!))).toMatchObject({ start: 'b\0' });
  });

  it('that selects has pages as long as asked for, and does not count what is left', async () => {
    const world = await World.start();
    await make(world, 'a', 'b', 'c', 'd', 'e');
    const labels = encodeURIComponent('letter in (b,d)');
    const all = await pages(world, `limit=1&labelSelector=${labels}`, () => Promise.resolve());
    expect(all.map(namesOf)).toEqual([['b'], ['d'], []]);
    expect(all.map(({ metadata }) => metadata.remainingItemCount)).toEqual([undefined, undefined, undefined]);
    const none = await list(world, 'limit=1&labelSelector=letter=x');
    expect([namesOf(none), tokenOf(none)]).toEqual([[], '']);
  });

  it('that are longer than what is left, or none, are the whole of it', async () => {
    const world = await World.start();
    await make(world, 'a', 'b');
    for (const limit of ['2', '3', '0', '-1', '']) {
      const page = await list(world, limit === '' ? '' : `limit=${limit}`);
      expect([namesOf(page), page.metadata]).toEqual([['a', 'b'], { resourceVersion: String(world.coordinator.revision) }]);
    }
  });

  it('too old to go on is told so, with a token for the rest as it is now', async () => {
    const world = await World.start({ recentChangesMax: 1 });
    await make(world, 'a', 'b', 'c', 'd');
    const first = await list(world, 'limit=2');
    await drop(world, 'c');
    await make(world, 'e', 'a0', 'f');
    world.disk.floor = world.disk.history.splice(0, 6).at(-1)!.revision;
    const failure = await failureOf(list(world, `limit=2&continue=${tokenOf(first)}`));
    expect(failure).toMatchObject({
      code: 410,
      reason: 'Expired',
      message: expect.stringMatching(/^The provided continue parameter is too old/) as string,
    });
    const token = failure.metadata.continue!;
    expect(decoded(token)).toEqual({ v: 'meta.k8s.io/v1', rv: -1, start: 'b\0' });
    const rest = await list(world, `limit=2&continue=${token}`);
    expect(namesOf(rest)).toEqual(['d', 'e']);
    expect(rest.metadata).toMatchObject({ resourceVersion: String(world.coordinator.revision), remainingItemCount: 1 });
    await drop(world, 'f');
    expect(namesOf(await list(world, `limit=2&continue=${tokenOf(rest)}`))).toEqual(['f']);
  });
});

describe('a list of a version', () => {
  it('that is to be exact is of that one', async () => {
    const world = await World.start();
    await make(world, 'a', 'b');
    const { revision } = world.coordinator;
    await make(world, 'c');
    await drop(world, 'a');
    for (const query of ['resourceVersionMatch=Exact', 'limit=5', 'resourceVersionMatch=Exact&limit=5']) {
      const page = await list(world, `${query}&resourceVersion=${revision}`);
      expect([namesOf(page), page.metadata]).toEqual([['a', 'b'], { resourceVersion: String(revision) }]);
    }
    const exact = `resourceVersionMatch=Exact&resourceVersion=${revision}`;
    const all = await pages(world, `limit=1`, () => Promise.resolve());
    expect(all.map(namesOf)).toEqual([['b'], ['c']]);
    expect(namesOf(await list(world, `${exact}&fieldSelector=metadata.name=a&limit=1`))).toEqual(['a']);
    expect(namesOf(await list(world, `${exact}&fieldSelector=metadata.name=c`))).toEqual([]);
    expect(namesOf(await list(world, `${exact}&labelSelector=letter=b`))).toEqual(['b']);
  });

  it('that may be newer is the newest', async () => {
    const world = await World.start();
    await make(world, 'a');
    const { revision } = world.coordinator;
    await make(world, 'b');
    const newest = { resourceVersion: String(world.coordinator.revision) };
    for (const query of [
      `resourceVersion=${revision}`,
      `resourceVersion=${revision}&resourceVersionMatch=NotOlderThan`,
      'resourceVersion=0',
    ]) {
      const page = await list(world, query);
      expect([namesOf(page), page.metadata]).toEqual([['a', 'b'], newest]);
    }
    const limited = await list(world, `resourceVersion=${revision}&resourceVersionMatch=NotOlderThan&limit=1`);
    expect([namesOf(limited), limited.metadata.resourceVersion]).toEqual([['a'], newest.resourceVersion]);
  });

  it('that may be any is whole, whatever the limit', async () => {
    const world = await World.start();
    await make(world, 'a', 'b', 'c');
    expect(namesOf(await list(world, 'resourceVersion=0&limit=1'))).toEqual(['a', 'b', 'c']);
  });

  it('that is too old is told so', async () => {
    const world = await World.start({ recentChangesMax: 1 });
    await make(world, 'a', 'b', 'c', 'd');
    world.disk.floor = world.disk.history.splice(0, 3).at(-1)!.revision;
    const failure = await failureOf(list(world, `resourceVersionMatch=Exact&resourceVersion=${world.disk.floor - 2n}`));
    expect(failure).toMatchObject({
      code: 410,
      reason: 'Expired',
      message: 'The resourceVersion for the provided list is too old.',
    });
    expect(failure.metadata).toEqual({});
  });

  it.each(['', '&resourceVersionMatch=Exact', '&resourceVersionMatch=NotOlderThan', '&limit=1'])(
    'in the future is waited for a moment (%j)',
    async (query) => {
      const world = await World.start();
      await make(world, 'a');
      const { revision } = world.coordinator;
      const soon = list(world, `resourceVersion=${revision + 1n}${query}`);
      const never = list(world, `resourceVersion=${revision + 99n}${query}`);
      await make(world, 'b');
      expect(namesOf(await soon)).toEqual(query === '&limit=1' ? ['a'] : ['a', 'b']);
      await world.clock.advance(3000);
      expect(await failureOf(never)).toMatchObject({
        ...{ code: 504, reason: 'Timeout' },
        message: `Timeout: Too large resource version: ${revision + 99n}, current: ${world.coordinator.revision}`,
        details: { causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }], retryAfterSeconds: 1 },
      });
    },
  );

  it('is refused when it is none, and when a page has one already', async () => {
    const world = await World.start();
    await make(world, 'a', 'b');
    const token = tokenOf(await list(world, 'limit=1'));
    expect(await failureOf(list(world, 'resourceVersion=abc'))).toMatchObject({
      ...{ code: 400, reason: 'BadRequest' },
      message:
        'invalid resource version: resourceVersion: Invalid value: "abc": strconv.ParseUint: parsing "abc": invalid syntax',
    });
    expect((await failureOf(list(world, `limit=1&continue=${token}&resourceVersion=5`))).message).toBe(
      'specifying resource version is not allowed when using continue',
    );
    expect((await failureOf(list(world, 'limit=1&continue=nonsense'))).code).toBe(400);
    expect(namesOf(await list(world, `limit=1&continue=${token}&resourceVersion=0`))).toEqual(['b']);
  });
});

describe('a list of one name', () => {
  it('has no pages', async () => {
    const world = await World.start();
    await make(world, 'a', 'b', 'other/b');
    expect(namesOf(await list(world, 'fieldSelector=metadata.name=b&limit=1&continue=nonsense'))).toEqual(['b']);
    const old = world.coordinator.revision - 2n;
    expect(namesOf(await list(world, `fieldSelector=metadata.name=b&limit=1&resourceVersion=${old}`))).toEqual(['b']);
    expect(namesOf(await list(world, 'fieldSelector=metadata.name=x'))).toEqual([]);
    expect(namesOf(await list(world, 'fieldSelector=metadata.name=No_Name'))).toEqual([]);
    const all = await pages(world, 'limit=1&fieldSelector=metadata.name=b', () => Promise.resolve(), { namespace: undefined });
    expect(all.map(namesOf)).toEqual([['b'], ['other/b']]);
  });
});
