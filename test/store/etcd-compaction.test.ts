import { expect, it } from 'vitest';
import { FakeClock, settle } from '@leasehold/sdk/testing';
import type { EtcdClient } from '../../server/dist/store/etcd/client.js';
import { MvccCompaction } from '../../server/dist/store/etcd/mvcc-compaction.js';

it('has etcd forget every five minutes what is five minutes old, until it is stopped', async () => {
  const clock = new FakeClock();
  const compacted: string[] = [];
  let revision = 100;
  const client = {
    call: (method: string, request: { revision: string }) => {
      if (method === 'Compact') compacted.push(request.revision);
      return Promise.resolve({ header: { revision: String(revision) } });
    },
  } as unknown as EtcdClient;
  const compaction = new MvccCompaction(client, clock, Buffer.from('key'));
  await clock.advance(300_000);
  await settle();
  expect(compacted).toEqual([]);
  revision = 200;
  await clock.advance(300_000);
  await settle();
  expect(compacted).toEqual(['100']);
  await clock.advance(300_000);
  await settle();
  expect(compacted).toEqual(['100', '200']);
  compaction.stop();
  await clock.advance(600_000);
  expect(compacted).toHaveLength(2);
});
