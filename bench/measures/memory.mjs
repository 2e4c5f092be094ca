// What a lease and an open stream of heartbeats cost the server.
import { once } from 'node:events';
import { AcquireRequest } from '@leasehold/proto/leasehold/v1/lease_service';
import { acquireMany, acquireRequest, withLeasehold } from '../support/leasehold.mjs';
import { load } from '../support/load.mjs';

export const title = 'Memory';

const streams = 1000;
const streamsPerConnection = 100;

export async function run({ memory, leases }) {
  return withLeasehold({ memory }, async (server) => {
    const empty = await server.ask();
    const requests = Array.from({ length: leases }, (_, index) => acquireRequest(`memory-${index}`, 3_600_000));
    const messages = requests.map((request) => AcquireRequest.encode(request).finish());
    await load(server, { path: '/leasehold.v1.LeaseService/Acquire', once: true, connections: 10, streams: 20, messages });
    const withLeases = await server.ask();
    const held = await acquireMany(server, streams);
    const before = await server.ask();
    await openStreams(server, held);
    const withStreams = await server.ask();
    return [
      {
        what: `${title}: a held lease, of ${leases.toLocaleString('en-US')}`,
        target: '≤ 1.5 KB',
        ...grown(empty, withLeases, leases),
      },
      {
        what: `${title}: an open stream of heartbeats, of ${streams.toLocaleString('en-US')}`,
        target: '≤ 40 KB',
        ...grown(before, withStreams, streams),
      },
      { what: `${title}: a server at rest`, ours: `${Math.round(empty.memory.rss / 1e6)} MB resident`, durability: 'SQLite' },
    ];
  });
}

function grown(before, after, count) {
  const kilobytes = (part) => `${((after.memory[part] - before.memory[part]) / count / 1000).toFixed(2)} KB`;
  return {
    ours: `${kilobytes('used')} (resident: ${kilobytes('rss')})`,
    durability: 'SQLite',
    notes:
      "after a garbage collection: the main thread's heap and what it holds outside; resident includes the SQLite worker and free pages",
  };
}

async function openStreams({ connect }, held) {
  let client;
  for (const [index, attach] of held.entries()) {
    if (index % streamsPerConnection === 0) client = connect();
    const stream = client.heartbeat();
    stream.on('error', () => {});
    stream.write({ sequence: 1n, handles: [], all: false, attach: [attach], detach: [] });
    await once(stream, 'data');
  }
}
