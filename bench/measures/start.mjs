// How long a server takes to serve with many leases on disk, after it was killed.
import { AcquireRequest } from '@leasehold/proto/leasehold/v1/lease_service';
import { acquireRequest, startLeasehold, withStore } from '../support/leasehold.mjs';
import { load } from '../support/load.mjs';
import { ms } from '../support/table.mjs';

export const title = 'Start';

export async function run({ leasesOnDisk }) {
  return withStore(async (store) => {
    const filling = await startLeasehold(store);
    try {
      // In parts, because a message that waits to be sent takes memory here.
      for (let from = 0; from < leasesOnDisk; from += 100_000) {
        const count = Math.min(100_000, leasesOnDisk - from);
        const requests = Array.from({ length: count }, (_, index) => acquireRequest(`start-${from + index}`, 86_400_000));
        const messages = requests.map((request) => AcquireRequest.encode(request).finish());
        await load(filling, { path: '/leasehold.v1.LeaseService/Acquire', once: true, connections: 10, streams: 100, messages });
      }
    } finally {
      await filling.stop('SIGKILL');
    }
    const server = await startLeasehold(store);
    const { memory } = await server.ask();
    await server.stop('SIGKILL');
    return [
      {
        what: `${title} with ${leasesOnDisk.toLocaleString('en-US')} held leases on disk, after kill -9`,
        ours: ms(server.startedInMs),
        target: '1,000,000: ≤ 10 s',
        durability: 'SQLite',
        notes: `from starting the process to serving; then ${Math.round(memory.rss / 1e6)} MB resident`,
      },
    ];
  });
}
