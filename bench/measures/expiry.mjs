// How late expiries are, with many leases whose expiries are spread, and how late the server's event loop is meanwhile.
import { EventType } from '@leasehold/proto/leasehold/v1/lease';
import { AcquireRequest } from '@leasehold/proto/leasehold/v1/lease_service';
import { percentile } from '../support/compare.mjs';
import { acquireRequest, namespace, withLeasehold } from '../support/leasehold.mjs';
import { load } from '../support/load.mjs';
import { ms } from '../support/table.mjs';

export const title = 'Expiry';

export async function run({ memory, leases }) {
  return withLeasehold({ memory }, async (server) => {
    // All are acquired before the first one runs out, at 2,000/s at least; then 5,000 run out each second.
    const firstMs = Math.max(5000, leases / 2);
    const durationOf = (index) => firstMs + index / 5;
    const requests = Array.from({ length: leases }, (_, index) => acquireRequest(`expiry-${index}`, durationOf(index)));
    const expired = watchExpiries(server.connect(), leases);
    const messages = requests.map((request) => AcquireRequest.encode(request).finish());
    await load(server, { path: '/leasehold.v1.LeaseService/Acquire', once: true, connections: 10, streams: 20, messages });
    await server.ask('reset');
    const { lateness, spreadSeconds } = await expired;
    const { lag } = await server.ask();
    return [
      {
        what: `${title}: lateness, ${leases.toLocaleString('en-US')} leases, ${Math.round(leases / spreadSeconds).toLocaleString('en-US')} a second`,
        ours: `p50 ${ms(percentile(lateness, 0.5))}, p99 ${ms(percentile(lateness, 0.99))}, max ${ms(percentile(lateness, 1))}`,
        target: 'p99 ≤ 20 ms',
        durability: 'synced to disk before the event',
        notes: "from `acquire_time` + duration to the event's arrival at a watcher",
      },
      {
        what: `${title}: lag of the server's event loop meanwhile`,
        ours: `p50 ${ms(lag.p50)}, p99 ${ms(lag.p99)}, max ${ms(lag.max)}`,
        target: 'p99 ≤ 20 ms',
        durability: 'none',
        notes: 'by a timer of 5 ms',
      },
    ];
  });
}

/** Resolves with how late each expiry was heard of, by the wall clock that both processes share. */
function watchExpiries(client, count) {
  const lateness = [];
  let first;
  return new Promise((resolve, reject) => {
    const watch = client.watch({ namespace, name: '', labelSelector: '', fromRevision: 0n, includeRenewals: false });
    watch.on('error', reject);
    watch.on('data', ({ events }) => {
      const now = performance.timeOrigin + performance.now();
      for (const { type, lease } of events) {
        if (type !== EventType.EXPIRED) continue;
        first ??= now;
        lateness.push(now - (milliseconds(lease.acquireTime) + milliseconds(lease.duration)));
      }
      if (lateness.length === count) {
        watch.removeAllListeners('error').on('error', () => {});
        watch.cancel();
        resolve({ lateness, spreadSeconds: (now - first) / 1000 });
      }
    });
  });
}

function milliseconds({ seconds, nanos }) {
  return Number(seconds) * 1000 + nanos / 1e6;
}
