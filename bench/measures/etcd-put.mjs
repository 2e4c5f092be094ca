// etcd's Put with as many in flight: what a durable write costs there.
import { withEtcd, etcdRequest } from '../support/etcd.mjs';
import { load } from '../support/load.mjs';
import { busy, perSecond } from '../support/table.mjs';

export const title = "etcd's Put";

export async function run({ seconds }) {
  const keys = Array.from({ length: 1000 }, (_, index) => Buffer.from(`bench/${index}`));
  const messages = keys.map((key) => etcdRequest('KV', 'Put', { key, value: Buffer.alloc(150, 'v') }));
  return withEtcd(async (etcd) => {
    const rows = [];
    for (const [connections, streams] of [
      [2, 10],
      [10, 100],
    ]) {
      const put = await load(etcd, { path: '/etcdserverpb.KV/Put', messages, connections, streams, seconds, warmUpSeconds: 2 });
      rows.push({
        what: `${title}, ${(connections * streams).toLocaleString('en-US')} in flight`,
        ours: '',
        peer: `etcd: ${perSecond(put.rate)}`,
        durability: 'each synced to disk before its answer',
        notes: `busy: ${busy(put.busy)}`,
      });
    }
    return rows;
  });
}
