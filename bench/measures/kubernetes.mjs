// The Kubernetes API beside kube-apiserver, asked by client-go in protobuf over TLS.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RenewRequest } from '@leasehold/proto/leasehold/v1/lease_service';
import { certificateIn } from '../support/certificates.mjs';
import { byTurns } from '../support/compare.mjs';
import { withKubeApiserver } from '../support/kube-apiserver.mjs';
import { kubernetesLoad } from '../support/kubernetes.mjs';
import { acquireMany, withLeasehold } from '../support/leasehold.mjs';
import { load } from '../support/load.mjs';
import { ms, perSecond, times } from '../support/table.mjs';

export const title = 'Kubernetes API';

const durability = 'each write synced to disk before its answer, on both sides';

export async function run(context) {
  return withBoth(context, async (ours, peer, server) => {
    const rows = [];
    for (const callers of [1, 20, 100, 500]) rows.push(await renewals(context, callers, ours, peer));
    rows.push(await besideGrpc(context, ours, server));
    rows.push(await watches(context, ours, peer));
    rows.push(await lists(context, ours, peer));
    return rows;
  });
}

/** Both servers run all the time and are asked by turns. */
async function withBoth({ memory }, action) {
  const folder = mkdtempSync(join(tmpdir(), 'leasehold-bench-tls-'));
  try {
    const { cert, key } = await certificateIn(folder);
    const flags = ['--http-listen', '127.0.0.1:0', '--http-tls-cert', cert, '--http-tls-key', key];
    return await withLeasehold({ memory, flags }, (server) =>
      withKubeApiserver((peer) => action({ server: `https://${server.http}`, ca: cert, pids: [server.pid] }, peer, server)),
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function renewals({ rounds, seconds }, callers, ours, peer) {
  const config = { mode: 'renew', callers, seconds, warmUpSeconds: 2 };
  const results = await compare(rounds, config, ours, peer);
  return row(`renewals by PUT, ${callers} at once`, results, callers >= 20 ? '≥ 5 ×' : '');
}

/** What a renewal costs the server here and over gRPC, with as many callers. */
async function besideGrpc({ seconds }, ours, server) {
  const messages = (await acquireMany(server, 100)).map((lease) => RenewRequest.encode(lease).finish());
  const shape = { connections: 1, streams: 100, seconds, warmUpSeconds: 2 };
  const put = await kubernetesLoad(ours, { mode: 'renew', callers: 100, seconds, warmUpSeconds: 2 });
  const grpc = await load(server, { path: '/leasehold.v1.LeaseService/Renew', messages, ...shape });
  const cost = ({ busy, rate }) => ((busy.server ?? busy) / rate) * 1e6;
  const micros = (value) => `${Math.round(value)} µs`;
  return {
    what: `${title}: processor time of the server for a renewal, 100 at once`,
    ours: `by PUT ${micros(cost(put))}, over gRPC ${micros(cost(grpc))}`,
    ratio: times(cost(put) / cost(grpc)),
    durability,
    notes: `${perSecond(put.rate)} and ${perSecond(grpc.rate)}`,
  };
}

async function watches({ rounds, seconds }, ours, peer) {
  const config = { mode: 'watch', callers: 1000, leases: 100, rate: 1000, seconds, warmUpSeconds: 2 };
  const results = await compare(Math.min(rounds, 1), config, ours, peer);
  return row('1,000 watchers of 1,000 changes a second: events', results, '');
}

async function lists({ rounds, seconds }, ours, peer) {
  const config = { mode: 'list', callers: 1, leases: 10_000, seconds, warmUpSeconds: 2 };
  return row('lists of 10,000 leases', await compare(rounds, config, ours, peer), '');
}

function compare(rounds, config, ours, peer) {
  return byTurns(
    rounds,
    () => kubernetesLoad(ours, config),
    () => kubernetesLoad(peer, config),
  );
}

function row(what, { ours, peer }, target) {
  const shown = ({ rate, p50Micros, p99Micros }) =>
    `${perSecond(rate)}, p50 ${ms(p50Micros / 1000)}, p99 ${ms(p99Micros / 1000)}`;
  const about = ({ busy, rss }) => `${busy.toFixed(2)} cores, ${Math.round(rss / 1e6)} MB`;
  return {
    what: `${title}: ${what}`,
    ours: shown(ours),
    peer: `kube-apiserver 1.36 and etcd: ${shown(peer)}`,
    ratio: times(ours.rate / peer.rate),
    target,
    durability,
    notes: `server ${about(ours)}; kube-apiserver and etcd ${about(peer)}; the rest of the two cores is client-go's`,
  };
}
