import { randomUUID } from 'node:crypto';
import {
  defaultLimits,
  startCoordinator,
  StoreFullError,
  type CommittedChange,
  type LeaseCoordinator,
  type Store,
  type StringMap,
} from '@leasehold/core';
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { systemClock } from '../../server/dist/clock.js';
import { openEtcdStore, type EtcdStoreOptions } from '../../server/dist/store/etcd/index.js';
import { EtcdProcess, withoutEtcd } from '../support/etcd-process.js';
import { FaultProxy } from '../support/fault-proxy.js';
import { create, grant, handOver, newRecord, recordOf, update } from './changes.js';
import { allHistory, loaded } from './contract.js';
import { follow } from './follow.js';

/** Etcd takes 1.5 MiB at once. */
describe.skipIf(withoutEtcd !== '')(`much at once for a store in etcd${withoutEtcd}`, () => {
  let etcd: EtcdProcess;
  let places = 0;
  let prefix = '';

  beforeAll(async () => {
    etcd = await EtcdProcess.start(['--unsafe-no-fsync']);
  });

  beforeEach(() => {
    places += 1;
    prefix = `/test-${places}/`;
  });

  afterAll(() => etcd.dispose());

  async function open(options: Partial<EtcdStoreOptions> = {}): Promise<Store> {
    const store = await openEtcdStore({ endpoints: [etcd.endpoint], prefix, clock: systemClock, ttlMs: 20_000, ...options });
    onTestFinished(() => store.close());
    return store;
  }

  it('is committed in several transactions, none of them over what another server has done between them', async () => {
    const proxy = await FaultProxy.to(Number(new URL(etcd.endpoint).port));
    const [first, second] = [await open({ endpoints: [`http://${proxy.address}`] }), await open()];
    const [heardByFirst, heardBySecond] = [await follow(first), await follow(second)];
    const [large] = await second.commit([grant(newRecord('z', { annotations: { filling: 'x'.repeat(400_000) } }), 'carol')]);
    await expect.poll(() => heardByFirst.changes).toEqual([large]);
    // What the first transaction has done is told late, and together with what the second server has done after it.
    proxy.partition('answers');
    const committing = first.commit([create('small'), handOver(recordOf(large), 'alice')]);
    await expect.poll(() => heardBySecond.changes.length, { timeout: 20_000 }).toBe(1);
    const [theirs] = await second.commit([handOver(recordOf(large), 'bob')]);
    proxy.cut();
    proxy.restore();
    const ours = await committing;
    await expect.poll(() => heardByFirst.changes).toEqual([large, theirs]);
    expect(ours.map(({ key }) => key)).toEqual(['default/small']);
    expect(heardBySecond.changes).toEqual(ours);
    const { records, revision } = await loaded(await open());
    expect(records.get('default/z')).toEqual(recordOf(theirs));
    expect(revision).toBe(theirs!.revision);
    expect(await first.commit([update(recordOf(theirs), { labels: {} })])).toHaveLength(1);
  });

  it.each([
    ['Chinese', '租約'.repeat(1900)],
    ['quotes', '"'.repeat(8_000)],
    ['control characters', '\u0001'.repeat(2_000)],
  ])('is cut by what it takes in etcd: %s', async (_, note) => {
    const store = await open();
    await loaded(store);
    const changes = Array.from({ length: store.changesMax! }, (_, index) =>
      grant(newRecord(`lease-${index}`, { annotations: { note } }), 'alice'),
    );
    const committed = await store.commit(changes);
    expect(committed).toHaveLength(changes.length);
    const handed = await store.commit(committed.map((change) => handOver(recordOf(change), 'bob')));
    expect(handed).toHaveLength(changes.length);
  });

  it('is refused where one change is too large, and nothing is changed', async () => {
    const store = await open();
    await loaded(store);
    const [before] = await store.commit([create('before')]);
    for (const bytes of [800_000, 3_000_000]) {
      const large = create('large', { annotations: { filling: 'x'.repeat(bytes) } });
      await expect(store.commit([large])).rejects.toThrow(StoreFullError);
    }
    expect(await store.commit([update(recordOf(before), { labels: { still: 'open' } })])).toHaveLength(1);
  });

  describe('through a coordinator', () => {
    let coordinator: LeaseCoordinator;
    let failures: readonly Error[];

    beforeEach(async () => {
      const all: Error[] = [];
      failures = all;
      coordinator = await startCoordinator({
        store: await open(),
        clock: systemClock,
        limits: { ...defaultLimits, annotationsBytesMax: 2 ** 20 },
        newUid: randomUUID,
        onFailure: (error) => all.push(error),
      });
      onTestFinished(() => coordinator.drain());
    });

    const describeLease = (annotations: StringMap, labels?: StringMap) => {
      const metadata = { labels, annotations, lockDelayMs: undefined, keepAfterExpiryMs: undefined };
      return coordinator.submit({ kind: 'create', namespace: 'default', name: 'a', metadata });
    };

    it.each(['x'.repeat(600_000), '"'.repeat(200_000), '\u0001'.repeat(100_000), '租'.repeat(200_000)])(
      'is refused by its size: %.5s',
      async (note) => {
        const refusal = /^Invalid lease: .* must take at most 491520 bytes as JSON in JSON, got \d+$/;
        await expect(describeLease({ note })).rejects.toMatchObject({
          message: expect.stringMatching(refusal) as string,
          detail: { field: 'annotations' },
        });
        expect(failures).toEqual([]);
        await describeLease({ note: 'short' });
      },
    );

    const labels = Object.fromEntries(
      Array.from({ length: 64 }, (_, index) => [`${'n'.repeat(250)}/${'n'.repeat(60)}-${index}`, 'v'.repeat(63)]),
    );

    it.each([
      ['x'.repeat(490_000), {}],
      ['x'.repeat(464_500), labels],
      ['"'.repeat(122_000), {}],
      ['\u0001'.repeat(70_000), {}],
      ['租'.repeat(163_000), {}],
    ])('is taken up to that size, whatever becomes of the lease: %.5s', async (note, labels) => {
      await describeLease({ note }, labels);
      const claim = (holder: string) => ({
        ...{ holder, acquireId: '', durationMs: 100, labels: undefined, annotations: undefined },
        ...{ lockDelayMs: undefined, keepAfterExpiryMs: undefined },
      });
      const acquire = (holder: string, waitMs: number) =>
        coordinator.submit({ kind: 'acquire', namespace: 'default', name: 'a', claim: claim(holder), waitMs, priority: 0 });
      expect((await acquire('h'.repeat(512), 0)).kind).toBe('granted');
      // It runs out, and is granted to who waits: one change with two events.
      expect((await acquire('i'.repeat(512), 60_000)).kind).toBe('granted');
      expect(failures).toEqual([]);
    });
  });

  it('of the history is not there to be told once another server has compacted it', async () => {
    const port = Number(new URL(etcd.endpoint).port);
    const [calls, watches] = [await FaultProxy.to(port), await FaultProxy.to(port)];
    const keeps = { historyMax: 600 };
    const first = await open(keeps);
    const second = await open({ ...keeps, endpoints: [`http://${calls.address}`, `http://${watches.address}`] });
    await follow(first);
    const heard = await follow(second);
    const all: CommittedChange[] = [];
    const commit = async (round: number): Promise<void> => {
      const changes = Array.from({ length: 100 }, (_, index) => create(`lease-${round}-${index}`));
      all.push(...(await first.commit(changes)));
    };
    for (let round = 0; round < 16; round += 1) await commit(round);
    await expect.poll(() => heard.changes.length).toBe(1600);
    // The watch of the second one goes on at the other endpoint, and then tells nothing.
    calls.cut();
    await expect.poll(() => watches.connections).toBeGreaterThan(0);
    await first.commit([create('seen')]).then((changes) => all.push(...changes));
    await expect.poll(() => heard.changes.length, { timeout: 10_000 }).toBe(1601);
    watches.partition('answers');
    await commit(17);
    const page = await second.history(all[49]!.revision, 256);
    expect(page.kind).toBe('compacted');
    const oldest = page.kind === 'compacted' ? page.oldest : 0n;
    expect(await second.history(oldest, 10)).toEqual(await first.history(oldest, 10));
    watches.restore();
    expect(await allHistory(first, oldest)).toEqual(all.filter(({ revision }) => revision > oldest));
  });
});
