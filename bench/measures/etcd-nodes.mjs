// What the leases of nodes cost etcd, each renewed every 10 s: by heartbeats to a server over it, with checkpoints and without, beside one
// Put for each renewal, as Kubernetes does it.
import { setTimeout as sleep } from 'node:timers/promises';
import { AcquireRequest } from '@leasehold/proto/leasehold/v1/lease_service';
import { withEtcd, etcdRequest } from '../support/etcd.mjs';
import { etcdMetrics } from '../support/etcd-metrics.mjs';
import { acquireRequest, namespace, withReplicas } from '../support/leasehold.mjs';
import { load } from '../support/load.mjs';
import { processorTime, residentBytes } from '../support/process.mjs';
import { ms, perSecond, times } from '../support/table.mjs';
import { attaching } from './heartbeat.mjs';

export const title = 'Nodes in etcd';

const renewedEverySeconds = 10;
/** As many as an agent would keep on one stream. */
const leasesPerStream = 1000;
const connections = 10;

/** Nothing that this measures fills it: the default of 2 GiB is not enough for a million. */
const etcdFlags = ['--quota-backend-bytes', String(16 * 2 ** 30)];

/** On two cores, a server with a million leases, beside etcd and the load, is held up for longer than the default of 3 s allows. */
const sessionTtl = (nodes) => (nodes > 100_000 ? '10s' : '3s');

export async function run({ nodes, nodeSeconds }) {
  const settings = { nodes, nodeSeconds, settleSeconds: 2 * renewedEverySeconds + nodes / 50_000 };
  const runs = [
    ['heartbeats, checkpoints of 10 s', await measureHeartbeats(settings, '10s')],
    ['heartbeats, no checkpoints', await measureHeartbeats(settings, '0')],
    ['one Put a renewal', await measurePuts(settings)],
  ];
  const puts = runs.at(-1)[1];
  return runs.map(([what, result]) => row(`${title}: ${nodes.toLocaleString('en-US')}, ${what}`, result, puts));
}

function row(what, result, puts) {
  const { perMinute, renewals, server, etcd } = result;
  const isPuts = result === puts;
  const cost = [
    `${perSecond((perMinute.transactions + perMinute.puts) / 60)} transactions`,
    `${perSecond(perMinute.revisions / 60)} revisions`,
    `${perSecond(perMinute.keysPut / 60)} keys put`,
    `log ${megabytes(perMinute.walBytes)} and ${Math.round(perMinute.walSyncs)} syncs a minute`,
    `received ${megabytes(perMinute.receivedBytes)}, sent ${megabytes(perMinute.sentBytes)} a minute`,
    `database ${megabytes(perMinute.dbBytes)} more a minute`,
    `processor ${etcd.seconds.toFixed(1)} s a minute`,
  ].join(', ');
  return {
    what,
    ours: isPuts ? '' : cost,
    peer: isPuts ? cost : '',
    ratio: isPuts ? '' : `${times(perMinute.walBytes / puts.perMinute.walBytes)} bytes of log`,
    durability: isPuts ? 'each synced to disk before its answer' : 'renewals answered from memory',
    notes: [
      `${perSecond(renewals)} renewals acknowledged, p99 ${Math.round(result.p99Ms)} ms`,
      `a sync of etcd's log took ${((perMinute.walSyncSeconds / perMinute.walSyncs) * 1000).toFixed(1)} ms`,
      `etcd: ${megabytes(etcd.resident)} resident, database ${megabytes(etcd.dbBytes)}`,
      ...(server ? [`server: processor ${server.seconds.toFixed(1)} s a minute, ${megabytes(server.resident)} resident`] : []),
      ...(server ? [`sessions of ${result.sessionTtl}`] : []),
      `filled in ${result.filledInSeconds.toFixed(0)} s${server ? ` by another server; this one started in ${ms(result.startedInMs)} and took them over in ${result.openedInSeconds.toFixed(0)} s` : ''}`,
    ].join('; '),
  };
}

const megabytes = (bytes) => `${(bytes / 1e6).toFixed(bytes < 1e7 ? 2 : 0)} MB`;

/** One server fills etcd and is killed; another one, which everybody then comes to, is measured. */
async function measureHeartbeats({ nodes, ...settings }, checkpoint) {
  const ttl = sessionTtl(nodes);
  return withEtcd(
    async (etcd) => {
      const replicas = { etcd, count: 1, flags: ['--renewal-checkpoint', checkpoint, '--etcd-session-ttl', ttl] };
      const begin = performance.now();
      await withReplicas(replicas, async ([server]) => {
        await fill(server, nodes);
        await server.stop('SIGKILL');
      });
      const filledInSeconds = (performance.now() - begin) / 1000;
      return withReplicas(replicas, async ([server]) => {
        const messages = attaching(await listAll(server.client), leasesPerStream);
        const shape = { stream: true, heartbeat: true, connections: Math.min(connections, messages.length), depth: 1 };
        const streams = messages.length / shape.connections;
        const config = { path: '/leasehold.v1.LeaseService/Heartbeat', messages, ...shape, streams };
        const measured = await measureWhile({ etcd, server, ...settings }, config);
        const renewals = measured.renewals * leasesPerStream;
        return { ...measured, renewals, filledInSeconds, startedInMs: server.startedInMs, sessionTtl: ttl };
      });
    },
    { flags: etcdFlags },
  );
}

async function measurePuts({ nodes, ...settings }) {
  return withEtcd(
    async (etcd) => {
      const value = Buffer.alloc(350, 'v');
      const messages = Array.from({ length: nodes }, (_, index) =>
        etcdRequest('KV', 'Put', { key: Buffer.from(`/registry/leases/kube-node-lease/node-${index}`), value }),
      );
      const put = { path: '/etcdserverpb.KV/Put', messages, connections, streams: 100 };
      const begin = performance.now();
      await load(etcd, { ...put, once: true });
      const filledInSeconds = (performance.now() - begin) / 1000;
      return { ...(await measureWhile({ etcd, ...settings }, put)), filledInSeconds };
    },
    { flags: etcdFlags },
  );
}

/** What etcd, and the server, are put to while all leases are renewed at their pace. */
async function measureWhile({ etcd, server, nodeSeconds, settleSeconds }, config) {
  const pace = { paceSeconds: renewedEverySeconds, warmUpSeconds: settleSeconds, seconds: nodeSeconds };
  let isOpen;
  const opened = new Promise((resolve) => (isOpen = resolve));
  const begin = performance.now();
  const loading = load(server ?? etcd, { ...config, ...pace, onOpen: isOpen });
  const measuring = (async () => {
    await Promise.race([opened, loading]);
    const openedInSeconds = (performance.now() - begin) / 1000;
    // The first renewals, and the checkpoints that follow them, are behind.
    await sleep(settleSeconds * 1000);
    const read = async () => ({
      metrics: await etcdMetrics(etcd),
      etcd: processorTime(etcd.pid).all,
      server: server && processorTime(server.pid).all,
    });
    const before = await read();
    const from = performance.now();
    await sleep(nodeSeconds * 1000 - 200);
    const after = await read();
    const minutes = (performance.now() - from) / 60_000;
    const perMinute = Object.fromEntries(
      Object.entries(after.metrics).map(([name, to]) => [name, (to - before.metrics[name]) / minutes]),
    );
    const part = (name, { pid }) => ({ seconds: (after[name] - before[name]) / minutes, resident: residentBytes(pid) });
    return {
      perMinute,
      openedInSeconds,
      etcd: { ...part('etcd', etcd), dbBytes: after.metrics.dbBytes },
      server: server && part('server', server),
    };
  })();
  const [{ rate, p99Micros }, measured] = await Promise.all([loading, measuring]);
  return { ...measured, renewals: rate, p99Ms: p99Micros / 1000 };
}

/** Acquires leases for all nodes. */
async function fill(server, nodes) {
  const messages = Array.from({ length: nodes }, (_, index) =>
    AcquireRequest.encode(acquireRequest(`node-${index}`, 3_600_000)).finish(),
  );
  await load(server, { path: '/leasehold.v1.LeaseService/Acquire', once: true, connections, streams: 20, messages });
}

/** All leases that are held, as renewing and attaching them takes. */
async function listAll(client) {
  const held = [];
  let pageToken = '';
  do {
    const page = await client.list({ namespace, labelSelector: '', pageSize: 1000, pageToken, cached: true });
    for (const { name, holder, fencingToken } of page.leases) held.push({ namespace, name, holder, fencingToken });
    pageToken = page.nextPageToken;
  } while (pageToken !== '');
  return held;
}
