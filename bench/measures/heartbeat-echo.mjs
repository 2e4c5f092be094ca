// Heartbeats, one in flight on each of 1,000 streams, beside a bare echo of the same size.
import { HeartbeatRequest } from '@leasehold/proto/leasehold/v1/lease_service';
import { byTurns } from '../support/compare.mjs';
import { withEcho } from '../support/echo.mjs';
import { acquireMany, withLeasehold } from '../support/leasehold.mjs';
import { load } from '../support/load.mjs';
import { busy, ms, perSecond, times } from '../support/table.mjs';
import { attaching } from './heartbeat.mjs';

export const title = 'Heartbeat, one in flight a stream, 1,000 streams';

export async function run({ memory, rounds, seconds }) {
  const shape = { stream: true, connections: 10, streams: 100, depth: 1, seconds, warmUpSeconds: 2 };
  const beat = HeartbeatRequest.encode({ sequence: 1000n, handles: [1], all: false, attach: [], detach: [] }).finish();
  return withLeasehold({ memory }, (server) =>
    withEcho(async (echo) => {
      const held = await acquireMany(server, 1000);
      const { ours, peer } = await byTurns(
        rounds,
        () =>
          load(server, { path: '/leasehold.v1.LeaseService/Heartbeat', heartbeat: true, messages: attaching(held, 1), ...shape }),
        () => load(echo, { path: '/bench.Echo/Stream', messages: [beat], ...shape }),
      );
      return [
        {
          what: title,
          ours: `${perSecond(ours.rate)}, p99 ${ms(ours.p99Micros / 1000)}`,
          peer: `bare grpc-js echo: ${perSecond(peer.rate)}, p99 ${ms(peer.p99Micros / 1000)}`,
          ratio: times(ours.rate / peer.rate),
          target: '≥ 0.9 ×',
          durability: 'none: answered from memory',
          notes: `busy: ${busy(ours.busy)}; echo: ${busy(peer.busy)}`,
        },
      ];
    }),
  );
}
