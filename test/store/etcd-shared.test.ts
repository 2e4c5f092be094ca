import { OutcomeUnknownError, StoreFullError, type Store } from '@leasehold/core';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { systemClock } from '../../server/dist/clock.js';
import { openEtcdStore, type EtcdStoreOptions } from '../../server/dist/store/etcd/index.js';
import { FaultProxy } from '../support/fault-proxy.js';
import { create, recordOf, update } from './changes.js';
import { allHistory, loaded } from './contract.js';
import { follow } from './follow.js';
import { EtcdProcess, withoutEtcd } from '../support/etcd-process.js';

/** Several servers have one store in etcd open: what each of them commits is done once or not at all, and the others hear of it. */
describe.skipIf(withoutEtcd !== '')(`a store in etcd${withoutEtcd}`, () => {
  let etcd: EtcdProcess;
  let places = 0;
  let prefix = '';

  beforeAll(async () => {
    etcd = await EtcdProcess.start();
  });

  afterAll(() => etcd.dispose());

  async function open(options: Partial<EtcdStoreOptions> = {}): Promise<Store> {
    const store = await openEtcdStore({ endpoints: [etcd.endpoint], prefix, clock: systemClock, ttlMs: 1500, ...options });
    onTestFinished(() => store.close());
    return store;
  }

  const fresh = (): void => {
    places += 1;
    prefix = `/test-${places}/`;
  };

  async function behindProxy(): Promise<{ proxy: FaultProxy; endpoints: readonly string[] }> {
    const proxy = await FaultProxy.to(Number(new URL(etcd.endpoint).port));
    return { proxy, endpoints: [`http://${proxy.address}`] };
  }

  it('tells the others what one has committed, in the order of revisions', async () => {
    fresh();
    const [first, second] = [await open(), await open()];
    const heard = await follow(second);
    await follow(first);
    const committed = [...(await first.commit([create('a'), create('b')])), ...(await first.commit([create('c')]))];
    await expect.poll(() => heard.changes).toEqual(committed);
    expect(await second.shared!.catchUp()).toBe(committed.at(-1)!.revision);
    const [next] = await second.commit([update(recordOf(committed[0]), { labels: { by: 'second' } })]);
    expect(next!.revision).toBeGreaterThan(committed.at(-1)!.revision);
  });

  it('commits nothing on top of what it has not seen, and commits it once it has', async () => {
    fresh();
    const { proxy, endpoints } = await behindProxy();
    const [first, second] = [await open({ ttlMs: 20_000 }), await open({ endpoints, ttlMs: 20_000 })];
    const heard = await follow(second);
    // What etcd tells the second one is held back.
    proxy.partition('answers');
    const [a] = await first.commit([create('a')]);
    const late = second.commit([create('b')]);
    proxy.restore();
    expect(await late).toEqual([]);
    expect(heard.changes).toEqual([a]);
    const [b] = await second.commit([create('b')]);
    expect(b!.revision).toBeGreaterThan(a!.revision);
  });

  it('keeps the version of a record of which only servers are to know something', async () => {
    fresh();
    const [first, second] = [await open(), await open()];
    const heard = await follow(second);
    await follow(first);
    const [created] = await first.commit([create('a')]);
    const record = { ...recordOf(created), attendant: 'somebody' };
    const silently = { ...update(record, {}), events: [], silent: true };
    const [silent] = await first.commit([silently]);
    expect(recordOf(silent)).toEqual(record);
    expect(silent!.revision).toBeGreaterThan(created!.revision);
    await expect.poll(() => heard.changes).toEqual([created, silent]);
    expect(await allHistory(second, created!.revision)).toEqual([silent]);
    expect((await loaded(await open())).records.get('default/a')).toEqual(record);
    expect(await second.commit([update(record, { labels: { by: 'second' } })])).toHaveLength(1);
  });

  it('lets many commit at once, none of them over another', async () => {
    fresh();
    const stores = [await open({ ttlMs: 10_000 }), await open({ ttlMs: 10_000 }), await open({ ttlMs: 10_000 })];
    await Promise.all(stores.map((store) => follow(store)));
    const { revision } = await loaded(stores[0]!);
    await Promise.all(
      stores.map(async (store, server) => {
        for (let count = 0; count < 20;) {
          const { length } = await store.commit([create(`lease-${server}-${count}`)]);
          count += length;
        }
      }),
    );
    // What it has not heard of yet is no history of its own.
    await expect.poll(async () => (await allHistory(stores[0]!, revision)).length).toBe(60);
    const history = await allHistory(stores[0]!, revision);
    const revisions = history.map((change) => change.revision);
    expect(revisions).toEqual([...revisions].sort((left, right) => Number(left - right)));
    expect(new Set(revisions).size).toBe(60);
    expect(new Set(history.map(({ key }) => key)).size).toBe(60);
  });

  it('tells of a session that ends in order, and of one that is not heard of any more', async () => {
    fresh();
    const { proxy, endpoints } = await behindProxy();
    const [watcher, orderly, cut] = [await open(), await open(), await open({ endpoints })];
    const heard = await follow(watcher);
    await follow(cut);
    expect(watcher.shared!.sessions).toEqual(new Set([watcher, orderly, cut].map(({ shared }) => shared!.session)));
    await orderly.close();
    await expect.poll(() => heard.ended).toEqual([orderly.shared!.session]);
    proxy.partition();
    await expect.poll(() => heard.ended, { timeout: 20_000 }).toEqual([orderly, cut].map(({ shared }) => shared!.session));
    // By then it answers nothing from memory any more, and never again.
    expect(cut.validUntilMs).toBeLessThan(systemClock.monotonicMs());
    proxy.restore();
    await expect(cut.commit([create('late')])).rejects.toThrow(OutcomeUnknownError);
  });

  it('is valid for as long as its session comes back, and no longer', async () => {
    fresh();
    const { proxy, endpoints } = await behindProxy();
    const store = await open({ endpoints });
    await follow(store);
    const first = store.validUntilMs!;
    await expect.poll(() => store.validUntilMs!, { timeout: 20_000 }).toBeGreaterThan(first + 1000);
    // Its renewals reach etcd, but it does not hear of anything.
    proxy.partition('answers');
    await expect.poll(() => store.validUntilMs! < systemClock.monotonicMs(), { timeout: 20_000 }).toBe(true);
    proxy.restore();
  });

  it('commits once when the answer is lost', async () => {
    fresh();
    const { proxy, endpoints } = await behindProxy();
    const store = await open({ endpoints, ttlMs: 10_000 });
    await follow(store);
    const { revision } = await loaded(store);
    for (const round of [1, 2, 3]) {
      proxy.partition('answers');
      const commit = store.commit([create(`lost-${round}`), create(`other-${round}`)]);
      // Its answer is held back, and then never comes.
      await expect.poll(() => heldBy(etcd, `${prefix}leases/default/lost-${round}`)).toBe(true);
      proxy.cut();
      proxy.restore();
      expect(await commit).toHaveLength(2);
    }
    const committed = await allHistory(store, revision);
    expect(committed.map(({ key }) => key)).toEqual(
      [1, 2, 3].flatMap((round) => [`default/lost-${round}`, `default/other-${round}`]),
    );
    await store.close();
    expect(await allHistory(await open(), revision)).toEqual(committed);
  });

  it('outlives an etcd that is killed and started again', async () => {
    fresh();
    const store = await open({ ttlMs: 20_000 });
    await follow(store);
    const [created] = await store.commit([create('a')]);
    await etcd.kill();
    const commit = store.commit([update(recordOf(created), { labels: { after: 'kill' } })]);
    await etcd.start();
    expect(recordOf((await commit)[0]).labels).toEqual({ after: 'kill' });
  });

  it('gives up when etcd does not answer for too long', async () => {
    fresh();
    const { proxy, endpoints } = await behindProxy();
    const store = await open({ endpoints });
    proxy.partition();
    await expect(store.commit([create('a')])).rejects.toThrow(OutcomeUnknownError);
    proxy.restore();
  });

  it('is made by one of those that come at the same time, and opened by all', async () => {
    for (let round = 0; round < 8; round += 1) {
      fresh();
      const stores = await Promise.all(Array.from({ length: 8 }, () => open()));
      const revisions = await Promise.all(stores.map((store) => store.shared!.catchUp()));
      expect(new Set(revisions).size).toBe(1);
      await Promise.all(stores.map((store) => store.close()));
    }
  });

  it('leaves alone what is not its own, and what is of a newer one', async () => {
    fresh();
    const client = etcd.client();
    onTestFinished(() => client.close());
    const put = (key: string, value: string): Promise<unknown> =>
      client.call('Txn', {
        compare: [],
        success: [{ request_put: { key: Buffer.from(prefix + key), value: Buffer.from(value) } }],
      });
    await put('somebody', 'else');
    await expect(open()).rejects.toThrow(`the keys under ${prefix} are not Leasehold's, such as ${prefix}somebody`);
    await put('schema', '{"schema":3}');
    await expect(open()).rejects.toThrow('this Leasehold is too old');
    await put('schema', 'no JSON');
    await expect(open()).rejects.toThrow('must be {"schema":2}');
  });

  it('takes the time left from the last server to leave, unless anything has happened since', async () => {
    fresh();
    const note = [{ key: 'default/a', fencingToken: 1n, remainingMs: 5 }];
    const first = await open();
    await first.leaveNote(note);
    const second = await open();
    await first.commit([create('a')]);
    expect(await second.takeNote()).toEqual(note);
    expect(await second.takeNote()).toEqual([]);
    // There is another one, who may know better.
    await follow(second);
    await second.leaveNote(note);
    expect(await second.takeNote()).toEqual([]);
    await first.close();
    await second.close();
    const third = await open();
    await third.leaveNote(note);
    await third.commit([create('b')]);
    expect(await (await open()).takeNote()).toEqual([]);
  });

  it('takes the time left of more leases than etcd takes at once', async () => {
    fresh();
    const name = 'n'.repeat(247);
    const note = Array.from({ length: 9000 }, (_, index) => ({
      key: `${'s'.repeat(63)}/${name}-${index}` as const,
      fencingToken: 2n ** 53n,
      remainingMs: 86_400_000.123,
    }));
    const first = await open();
    await first.leaveNote(note);
    await first.close();
    const second = await open();
    expect(await second.takeNote()).toEqual(note);
    expect(await second.takeNote()).toEqual([]);
  });

  it('has no room: says so, and nothing is changed', async () => {
    const small = await EtcdProcess.start(['--quota-backend-bytes', String(2 * 1024 * 1024)]);
    onTestFinished(() => small.dispose());
    fresh();
    const store = await open({ endpoints: [small.endpoint], ttlMs: 20_000 });
    const { revision } = await loaded(store);
    const annotations = { filling: 'x'.repeat(200_000) };
    let committed = 0;
    const fill = async (): Promise<void> => {
      for (; committed < 100; committed += 1) await store.commit([create(`lease-${committed}`, { annotations })]);
    };
    await expect(fill()).rejects.toThrow(StoreFullError);
    expect(committed).toBeGreaterThan(0);
    expect(await allHistory(store, revision)).toHaveLength(committed);
  });
});

async function heldBy(etcd: EtcdProcess, key: string): Promise<boolean> {
  const client = etcd.client();
  try {
    return (await client.call('Range', { key: Buffer.from(key) })).kvs.length === 1;
  } finally {
    client.close();
  }
}
