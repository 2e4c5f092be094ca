// Heartbeats, pipelined: one handle a message, and a hundred, beside etcd's LeaseKeepAlive.
import { HeartbeatRequest } from '@leasehold/proto/leasehold/v1/lease_service';
import { byTurns } from '../support/compare.mjs';
import { etcdRequest, withEtcd } from '../support/etcd.mjs';
import { acquireMany, withLeasehold } from '../support/leasehold.mjs';
import { load } from '../support/load.mjs';
import { busy, perSecond, times } from '../support/table.mjs';

export const title = 'Heartbeat, pipelined';

const connections = 20;
const durability = 'none: answered from memory, on both sides';

export async function run({ memory, rounds, seconds }) {
  const shape = { stream: true, connections, streams: 1, depth: 8000, seconds, warmUpSeconds: 2 };
  return withLeasehold({ memory }, (server) =>
    withEtcd(async (etcd) => {
      const held = await acquireMany(server, connections * 100);
      const beat = (handles) => {
        const messages = attaching(held.slice(0, connections * handles), handles);
        return load(server, { path: '/leasehold.v1.LeaseService/Heartbeat', heartbeat: true, messages, ...shape });
      };
      const keepAlives = await keepAliveRequests(etcd);
      const keepAlive = () => load(etcd, { path: '/etcdserverpb.Lease/LeaseKeepAlive', messages: keepAlives, ...shape });

      const one = await byTurns(rounds, () => beat(1), keepAlive);
      const hundred = await byTurns(rounds, () => beat(100), keepAlive);
      return [row('one handle a message', one, 1, '≥ 1.2 ×'), row('100 handles a message, renewals', hundred, 100, '≥ 20 ×')];
    }),
  );
}

function row(what, { ours, peer }, handles, target) {
  return {
    what: `${title}, ${connections} connections: ${what}`,
    ours: perSecond(ours.rate * handles),
    peer: `etcd's LeaseKeepAlive: ${perSecond(peer.rate)}`,
    ratio: times((ours.rate * handles) / peer.rate),
    target,
    durability,
    notes: `busy: ${busy(ours.busy)}; etcd: ${busy(peer.busy)}`,
  };
}

/** First messages of streams, each attaching that many leases. */
export function attaching(held, leasesPerStream) {
  const messages = [];
  for (let from = 0; from < held.length; from += leasesPerStream) {
    const attach = held.slice(from, from + leasesPerStream);
    messages.push(HeartbeatRequest.encode({ sequence: 1n, handles: [], all: false, attach, detach: [] }).finish());
  }
  return messages;
}

async function keepAliveRequests(etcd) {
  const messages = [];
  for (let count = 0; count < connections; count++) {
    const { ID } = await etcd.grant({ TTL: 3600 });
    messages.push(etcdRequest('Lease', 'LeaseKeepAlive', { ID }));
  }
  return messages;
}
