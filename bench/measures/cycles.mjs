// Acquire and release, from a Node client, beside etcd's grant, transaction, revoke from the same kind of client.
import { byTurns } from '../support/compare.mjs';
import { withEtcd } from '../support/etcd.mjs';
import { acquireRequest, withLeasehold } from '../support/leasehold.mjs';
import { perSecond, times } from '../support/table.mjs';

export const title = 'Acquire and release';

/** How many cycles are under way at once, each on a name of its own: one, which shows the latency, and many. */
const concurrencies = [1, 64];

export async function run({ memory, rounds, seconds }) {
  return withLeasehold({ memory }, ({ client }) =>
    withEtcd(async (etcd) => {
      const rows = [];
      for (const workers of concurrencies) {
        const { ours, peer } = await byTurns(
          rounds,
          () => cycles({ workers, seconds }, (worker) => leaseholdCycle(client, `cycle-${worker}`)),
          () => cycles({ workers, seconds }, (worker) => etcdCycle(etcd, Buffer.from(`bench/cycle-${worker}`))),
        );
        rows.push({
          what: `${title}, ${workers} at once`,
          ours: perSecond(ours.rate),
          peer: `etcd's grant, transaction, revoke: ${perSecond(peer.rate)}`,
          ratio: times(ours.rate / peer.rate),
          target: '≥ 3 ×',
          durability: 'each step synced to disk before its answer, on both sides',
          notes: `both from one grpc-js client on one connection; busy: client ${ours.busy.toFixed(2)}; with etcd: ${peer.busy.toFixed(2)}`,
        });
      }
      return rows;
    }),
  );
}

async function leaseholdCycle(client, name) {
  const { outcome } = await client.acquire(acquireRequest(name, 60_000));
  const { namespace, fencingToken } = outcome.value;
  await client.release({ namespace, name, fencingToken, transferTo: '' });
}

async function etcdCycle(etcd, key) {
  const { ID } = await etcd.grant({ TTL: 60 });
  // Takes the key only if it does not exist: `CREATE` (1) equal (0) 0.
  const compare = [{ target: 1, result: 0, key, create_revision: 0 }];
  const { succeeded } = await etcd.txn({ compare, success: [{ request_put: { key, value: key, lease: ID } }] });
  if (!succeeded) throw new Error('etcd refused a key that was free');
  await etcd.revoke({ ID });
}

/** Repeats cycles on all workers for a while. */
async function cycles({ workers, seconds }, cycle) {
  let count = 0;
  const before = process.cpuUsage();
  const begin = performance.now();
  const end = begin + seconds * 1000;
  const work = async (worker) => {
    while (performance.now() < end) {
      await cycle(worker);
      count++;
    }
  };
  await Promise.all(Array.from({ length: workers }, (_, worker) => work(worker)));
  const elapsed = performance.now() - begin;
  const { user, system } = process.cpuUsage(before);
  return { rate: (count * 1000) / elapsed, busy: (user + system) / 1000 / elapsed };
}
