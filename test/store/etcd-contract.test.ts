import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../server/dist/clock.js';
import { openEtcdStore } from '../../server/dist/store/etcd/index.js';
import { storeContract, type StorePlace } from './contract.js';
import { EtcdProcess, etcdPrograms } from '../support/etcd-process.js';

for (const program of etcdPrograms) {
  describe.skipIf(program.missing !== '')(`etcd ${program.version}${program.missing}`, () => {
    let etcd: EtcdProcess;
    let places = 0;

    beforeAll(async () => {
      etcd = await EtcdProcess.start([], program);
    });

    afterAll(() => etcd.dispose());

    it('is of the version that it is called by', async () => {
      const client = etcd.client();
      const { version } = await client.call('Status', {});
      client.close();
      expect(version).toMatch(new RegExp(`^${program.version}\\.`));
    });

    storeContract('etcd', () => {
      places += 1;
      return Promise.resolve(etcdPlace(etcd, `/place-${places}/`));
    });
  });
}

/** The keys under a prefix of their own. */
function etcdPlace(etcd: EtcdProcess, prefix: string): StorePlace {
  const range = { key: Buffer.from(prefix), range_end: Buffer.from(`${prefix.slice(0, -1)}0`) };
  const client = etcd.client();
  const place: StorePlace = {
    wallMs: 1_800_000_000_000,
    open: (options) => {
      const clock = { ...systemClock, wallMs: () => place.wallMs };
      return openEtcdStore({ endpoints: [etcd.endpoint], prefix, clock, ...options });
    },
    copy: async () => {
      const { kvs } = await client.call('Range', range);
      return async () => {
        await client.call('Txn', { compare: [], success: [{ request_delete_range: range }] });
        for (const { key, value } of kvs) await client.call('Txn', { compare: [], success: [{ request_put: { key, value } }] });
      };
    },
    dispose: () => {
      client.close();
      return Promise.resolve();
    },
  };
  return place;
}
