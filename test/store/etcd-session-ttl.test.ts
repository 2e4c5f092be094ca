import type { Store } from '@leasehold/core';
import { FakeClock } from '@leasehold/sdk/testing';
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { systemClock } from '../../server/dist/clock.js';
import { parseOptions } from '../../server/dist/options/parse.js';
import { EtcdClient } from '../../server/dist/store/etcd/client.js';
import { InUseError } from '../../server/dist/store/etcd/exclusive.js';
import { openEtcdStore } from '../../server/dist/store/etcd/index.js';
import { Keys } from '../../server/dist/store/etcd/keys.js';
import { Peers } from '../../server/dist/store/etcd/peers.js';
import { EtcdStore } from '../../server/dist/store/etcd/store.js';
import { agreeOnTtl } from '../../server/dist/store/etcd/ttl-agreement.js';
import { openStore } from '../../server/dist/store/open-store.js';
import { EtcdProcess, withoutEtcd } from '../support/etcd-process.js';
import { FaultProxy } from '../support/fault-proxy.js';

/** All servers count the same time before they take one for gone: else one of them would be taken for gone while it goes on. */
describe.skipIf(withoutEtcd !== '')(`the TTL of sessions in etcd${withoutEtcd}`, () => {
  let etcd: EtcdProcess;
  let places = 0;
  let prefix = '';

  beforeAll(async () => {
    etcd = await EtcdProcess.start();
  });

  beforeEach(() => {
    places += 1;
    prefix = `/test-${places}/`;
  });

  afterAll(() => etcd.dispose());

  async function open(ttlMs?: number, endpoints: readonly string[] = [etcd.endpoint]): Promise<Store> {
    const store = await openEtcdStore({ endpoints, prefix, clock: systemClock, ttlMs });
    onTestFinished(() => store.close());
    return store;
  }

  const ttlOf = ({ shared }: Store): number => shared!.ttlMs;

  it('is 3 s unless a server asks for another one, and then stays so', async () => {
    expect(ttlOf(await open())).toBe(3000);
    prefix += 'other/';
    const asks = await open(7000);
    expect([ttlOf(asks), ttlOf(await open())]).toEqual([7000, 7000]);
    expect(ttlOf(await open(7000))).toBe(7000);
  });

  it('is asked for by --etcd-session-ttl', async () => {
    const args = ['--store', `etcd:${etcd.endpoint}`, '--etcd-prefix', prefix];
    const opened = async (...more: string[]): Promise<number> => {
      const parsed = parseOptions([...args, ...more], {});
      if (parsed.kind !== 'serve') throw new Error(parsed.kind);
      const store = await openStore(parsed.options, { clock: systemClock, log: { warn: (text) => expect.fail(text) } });
      await store.close();
      return ttlOf(store);
    };
    expect(await opened()).toBe(3000);
    expect(await opened('--etcd-session-ttl', '8s')).toBe(8000);
    expect(await opened('--etcd-session-ttl', 'stored')).toBe(8000);
    expect(await opened('--etcd-session-ttl=3s')).toBe(3000);
    expect(await opened()).toBe(3000);
  });

  it('is refused while a server goes on with another one, which is not disturbed', async () => {
    const first = await open(1000);
    const { session } = first.shared!;
    await expect(open(60_000)).rejects.toThrow(
      new InUseError('is in use with sessions of 1000 ms: stop every server on it before --etcd-session-ttl makes that 60000 ms'),
    );
    expect(ttlOf(await open())).toBe(1000);
    expect(first.shared!.sessions).toContain(session);
    expect(first.validUntilMs).toBeGreaterThan(systemClock.monotonicMs());
  });

  it('changes once the sessions of servers that were killed have been silent for the time before', async () => {
    const proxy = await FaultProxy.to(Number(new URL(etcd.endpoint).port));
    const killed = await open(1000, [`http://${proxy.address}`]);
    proxy.partition();
    const next = await open(5000);
    expect(ttlOf(next)).toBe(5000);
    // It was over for itself by then.
    expect(killed.validUntilMs).toBeLessThan(systemClock.monotonicMs());
    expect(next.shared!.sessions).toEqual(new Set([next.shared!.session]));
    proxy.restore();
  });

  it('is the same for all who begin at once', async () => {
    const outcomes = await Promise.allSettled([2000, 1000, 2000, 1000].map((ttlMs) => open(ttlMs)));
    const opened = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []));
    expect(opened.length).toBeGreaterThan(0);
    expect(new Set(opened.map(ttlOf)).size).toBe(1);
  });

  it('lets nobody end a session who has counted the one before', async () => {
    const client = new EtcdClient({ endpoints: [etcd.endpoint], clock: systemClock });
    onTestFinished(() => client.close());
    const keys = new Keys(prefix);
    await (await open(1000)).close();
    const before = await agreeOnTtl({ client, clock: systemClock, keys }, undefined);
    const { session, sessions } = (await open(60_000)).shared!;
    const [key] = (await client.call('Range', { key: keys.session(session) })).kvs;
    const calls = vi.spyOn(client, 'call');
    const clock = new FakeClock();
    const peers = new Peers({ client, clock, ttl: before, keyOf: (id) => keys.session(id) });
    onTestFinished(() => {
      peers.stop();
    });
    peers.seen(session, key!.mod_revision);
    await clock.advance(1500);
    expect(calls).toHaveBeenCalled();
    expect(await calls.mock.results[0]!.value).toMatchObject({ succeeded: false });
    expect(sessions).toContain(session);
  });

  it('lets no session begin on what was agreed before', async () => {
    const client = new EtcdClient({ endpoints: [etcd.endpoint], clock: systemClock });
    const keys = new Keys(prefix);
    const parts = { client, clock: systemClock, keys };
    await (await open()).close();
    const before = await agreeOnTtl(parts, undefined);
    expect(before.ms).toBe(3000);
    const other = await open(9000);
    const late = new EtcdStore({ ...parts, session: 'late', ttl: before, historyMax: 1000, alone: false });
    onTestFinished(() => late.close());
    await expect(late.open()).rejects.toThrow('another TTL was agreed on');
    expect(other.shared!.sessions).toEqual(new Set([other.shared!.session]));
  });
});
