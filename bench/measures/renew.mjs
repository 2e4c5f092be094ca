// Durable unary renewals, 1,000 in flight, beside a bare unary echo.
import { RenewRequest } from '@leasehold/proto/leasehold/v1/lease_service';
import { byTurns } from '../support/compare.mjs';
import { withEcho } from '../support/echo.mjs';
import { acquireMany, withLeasehold } from '../support/leasehold.mjs';
import { load } from '../support/load.mjs';
import { busy, ms, perSecond, times } from '../support/table.mjs';

export const title = 'Renew, unary, 1,000 in flight';

export async function run({ memory, rounds, seconds }) {
  const shape = { connections: 10, streams: 100, seconds, warmUpSeconds: 2 };
  return withLeasehold({ memory }, async (server) => {
    const held = await acquireMany(server, 1000);
    const messages = held.map((lease) => RenewRequest.encode(lease).finish());
    return withEcho(async (echo) => {
      const { ours, peer } = await byTurns(
        rounds,
        () => load(server, { path: '/leasehold.v1.LeaseService/Renew', messages, ...shape }),
        () => load(echo, { path: '/bench.Echo/Unary', messages, ...shape }),
      );
      return [
        {
          what: title,
          ours: `${perSecond(ours.rate)}, p50 ${ms(ours.p50Micros / 1000)}, p99 ${ms(ours.p99Micros / 1000)}`,
          peer: `bare grpc-js echo: ${perSecond(peer.rate)}, p50 ${ms(peer.p50Micros / 1000)}, p99 ${ms(peer.p99Micros / 1000)}`,
          ratio: times(ours.rate / peer.rate),
          target: '≥ 0.85 ×',
          durability: 'each synced to disk before its answer (group commit)',
          notes: `busy: ${busy(ours.busy)}; echo: ${busy(peer.busy)}`,
        },
      ];
    });
  });
}
