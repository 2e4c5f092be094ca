import { OutcomeUnknownError, StoreFullError, type Store } from '@leasehold/core';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { systemClock } from '../../server/dist/clock.js';
import { openEtcdStore, type EtcdStoreOptions } from '../../server/dist/store/etcd/index.js';
import { FaultProxy } from '../support/fault-proxy.js';
import { create, recordOf, update } from './changes.js';
import { allHistory, loaded } from './contract.js';
import { EtcdProcess, withoutEtcd } from '../support/etcd-process.js';

/** One server at a time has a store in etcd open, and what it has sent is done once or not at all. */
describe.skipIf(withoutEtcd !== '')(`a store in etcd${withoutEtcd}`, () => {
  let etcd: EtcdProcess;
  let places = 0;
  let prefix = '';

  beforeAll(async () => {
    etcd = await EtcdProcess.start();
    return () => etcd.dispose();
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

  it('is opened by the next one at once when the first goes in order, with all there is', async () => {
    fresh();
    const first = await open({ ttlMs: 600_000 });
    const committed = await first.commit([create('a')]);
    const told: string[] = [];
    const second = open({ ttlMs: 600_000, onWait: () => told.push('waits') });
    await expect.poll(() => told).toEqual(['waits']);
    await first.close();
    expect((await loaded(await second)).records.get('default/a')).toEqual(recordOf(committed[0]));
  });

  it('is opened by the next one when the first is not heard of any more, and the first has lapsed by then', async () => {
    fresh();
    const { proxy, endpoints } = await behindProxy();
    const first = await open({ endpoints });
    const [created] = await first.commit([create('a')]);
    expect(first.validUntilMs).toBeGreaterThan(systemClock.monotonicMs());
    proxy.partition();
    const second = await open();
    expect(first.validUntilMs).toBeLessThan(systemClock.monotonicMs());
    expect((await loaded(second)).records.get('default/a')).toEqual(recordOf(created));
    const [updated] = await second.commit([update(recordOf(created), { labels: { by: 'second' } })]);
    // What the first one sends now, or has sent before, changes nothing.
    const late = first.commit([update(recordOf(created), { labels: { by: 'first' } })]);
    const refused = expect(late).rejects.toThrow(OutcomeUnknownError);
    proxy.restore();
    await refused;
    await second.close();
    expect((await loaded(await open())).records.get('default/a')).toEqual(recordOf(updated));
  });

  it('commits once when the answer is lost', async () => {
    fresh();
    const { proxy, endpoints } = await behindProxy();
    const store = await open({ endpoints, ttlMs: 10_000 });
    const { revision } = await loaded(store);
    for (const round of [1, 2, 3]) {
      proxy.partition('answers');
      const commit = store.commit([create(`lost-${round}`), create(`other-${round}`)]);
      // Its answer is held back, and then never comes.
      await expect.poll(() => heldBy(etcd, `${prefix}leases/default/lost-${round}`)).toBe(true);
      proxy.cut();
      proxy.restore();
      await commit;
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
    await put('schema', '{"schema":2}');
    await expect(open()).rejects.toThrow('this Leasehold is too old');
    await put('schema', 'no JSON');
    await expect(open()).rejects.toThrow('must be {"schema":1}');
  });

  it('waits for its turn only until it is told not to', async () => {
    fresh();
    await open({ ttlMs: 600_000 });
    const waiting = new AbortController();
    const second = open({ signal: waiting.signal, ttlMs: 600_000, onWait: () => waiting.abort(new Error('enough')) });
    await expect(second).rejects.toThrow('enough');
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
