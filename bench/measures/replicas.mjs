// What several servers over one etcd do, beside one on SQLite and beside etcd's own Put with as many in flight, all by turns.
import { GetRequest, RenewRequest } from '@leasehold/proto/leasehold/v1/lease_service';
import { median, percentile } from '../support/compare.mjs';
import { etcdRequest, withEtcd } from '../support/etcd.mjs';
import { etcdMetrics } from '../support/etcd-metrics.mjs';
import { acquireMany, acquireRequest, withLeasehold, withReplicas } from '../support/leasehold.mjs';
import { load } from '../support/load.mjs';
import { processorTimeOf } from '../support/process.mjs';
import { ms, perSecond, times } from '../support/table.mjs';
import { attaching } from './heartbeat.mjs';

export const title = 'Several servers';

/** Divides evenly by 1, 2 and 3 servers: 960 unary calls are in flight. */
const connections = 12;
const callsPerConnection = 80;
const handlesPerStream = 100;

const acquireAndRelease = (workers) => `acquire and release, ${workers} at once`;
const renew = `Renew, unary, ${connections * callsPerConnection} in flight`;
const get = `Get, linearizable, ${connections * callsPerConnection} in flight`;
const getCached = `Get, cached, ${connections * callsPerConnection} in flight`;
const beats = `Heartbeat, pipelined, ${connections} connections, ${handlesPerStream} handles a message, renewals`;
/** What follows the end of a server, and has to be done before its leases run out. */
const moves = 'attach of leases that another server attended';
const measures = [acquireAndRelease(1), acquireAndRelease(64), renew, get, getCached, beats, moves];
const movedLeases = 6000;

/** Of how many answers each measure has an etcd's Put beside it. */
const putsBeside = { [acquireAndRelease(1)]: 2, [acquireAndRelease(64)]: 2, [renew]: 1 };

const setups = [
  {
    name: '1 server on SQLite',
    run: (context) => withLeasehold(context, (server) => measureServers([server], undefined, context)),
  },
  ...[1, 2, 3].map((count) => ({
    name: `${count} ${count === 1 ? 'server' : 'servers'} over etcd`,
    run: (context) =>
      withEtcd((etcd) => withReplicas({ etcd, count }, (servers) => measureServers(servers, etcd, context)), {
        flags: ['--quota-backend-bytes', quota],
        count: context.members,
      }),
  })),
];
const quota = String(8 * 2 ** 30);

export async function run(context) {
  const runs = new Map([...setups.map(({ name }) => name), 'Put'].map((name) => [name, []]));
  for (let round = 0; round < context.rounds; round++) {
    for (const { name, run } of setups) runs.get(name).push(await run(context));
    runs.get('Put').push(await withEtcd((etcd) => measurePuts(etcd, context), { count: context.members }));
  }
  const isMeasured = (name, measure) => runs.get(name)[0][measure] !== undefined;
  const of = (name, measure) => median(runs.get(name).map((run) => run[measure]));
  return measures.flatMap((measure) => {
    const put = measure in putsBeside ? of('Put', measure) : undefined;
    const measured = setups.filter(({ name }) => isMeasured(name, measure));
    return measured.map(({ name }) => row({ ...context, measure, name, ours: of(name, measure), put }));
  });
}

function row({ members, measure, name, ours, put }) {
  const latency = (result) => (result.p50Ms === undefined ? '' : `, p50 ${ms(result.p50Ms)}, p99 ${ms(result.p99Ms)}`);
  const notes = [
    ...(putsBeside[measure] === 2 ? ['a cycle is two changes, and the ratio is of changes to Puts'] : []),
    ...(ours.done && ours.done.keysPut > 1000 ? [turns(ours.done)] : []),
    `busy: ${shares(ours.busy)}${put ? `; Put: ${shares(put.busy)}` : ''}`,
  ];
  return {
    what: `${title}${members > 1 ? `, etcd of ${members} members` : ''}: ${measure}: ${name}`,
    ours: perSecond(ours.rate) + latency(ours),
    peer: put && `etcd's Put: ${perSecond(put.rate)}${latency(put)}`,
    ratio: put && times((ours.rate * putsBeside[measure]) / put.rate),
    durability: durability(measure),
    notes: notes.join('; '),
  };
}

function durability(measure) {
  if (measure in putsBeside || measure === moves) return 'synced to disk before its answer';
  return measure === beats ? 'none: answered from memory' : 'nothing is written';
}

/** How servers took turns: a transaction that another server was faster than changes nothing. */
function turns({ transactions, revisions, keysPut }) {
  const late = Math.max(0, transactions - revisions) / transactions;
  // Each transaction has two keys of the log as well.
  return `${(keysPut / revisions - 2).toFixed(1)} changes a transaction, ${Math.round(late * 100)} % of all transactions too late`;
}

function shares(busy) {
  return Object.entries(busy)
    .map(([part, share]) => `${part} ${share.toFixed(2)}`)
    .join(', ');
}

/** All measures through these servers, by name. */
async function measureServers(servers, etcd, { seconds }) {
  const parts = { servers, etcd: etcd?.members ?? [] };
  const results = {};
  for (const workers of [1, 64]) {
    let turn = 0;
    // Cycles go through all servers in turn.
    const cycle = (worker) => leaseholdCycle(servers[turn++ % servers.length].client, `cycle-${worker}`);
    results[acquireAndRelease(workers)] = await watched(parts, () => repeat({ workers, seconds }, cycle));
  }
  const held = await acquireSpread(servers, Math.max(960, connections * handlesPerStream));
  const unary = (path, messages) => () =>
    underLoad(servers, {
      path: `/leasehold.v1.LeaseService/${path}`,
      messages,
      connections,
      streams: callsPerConnection,
      seconds,
    });
  const gets = (cached) => held.map(({ namespace, name }) => GetRequest.encode({ namespace, name, cached }).finish());
  const renewals = held.map((lease) => RenewRequest.encode(lease).finish());
  results[renew] = await watched(parts, unary('Renew', renewals));
  results[get] = await watched(parts, unary('Get', gets(false)));
  results[getCached] = await watched(parts, unary('Get', gets(true)));
  results[beats] = await watched(parts, () => beat(servers, held, seconds));
  if (servers.length > 1) results[moves] = await moveFromFirst(servers, parts);
  return results;
}

/** Attaches leases that the first server attends through the others, on streams of 100, all at once. */
async function moveFromFirst([first, ...others], parts) {
  const held = await acquireMany(first, movedLeases, { prefix: 'moved' });
  const clients = others.map((server) => server.connect());
  return watched(parts, async () => {
    const begin = performance.now();
    const streams = [];
    for (let from = 0; from < held.length; from += 100) {
      streams.push(attachAll(clients[streams.length % clients.length], held.slice(from, from + 100)));
    }
    await Promise.all(streams);
    return { rate: (held.length * 1000) / (performance.now() - begin), busy: {} };
  });
}

/** Resolves once one stream has them all. */
function attachAll(client, attach) {
  return new Promise((resolve, reject) => {
    const stream = client.heartbeat();
    let count = 0;
    stream.on('error', reject);
    stream.on('data', ({ attached }) => {
      if (attached.some(({ outcome }) => outcome.$case !== 'handle')) reject(new Error('An attach was refused'));
      count += attached.length;
      if (count < attach.length) return;
      stream.removeAllListeners('error').on('error', () => {});
      stream.cancel();
      resolve();
    });
    stream.write({ sequence: 1n, handles: [], all: false, attach, detach: [] });
  });
}

async function beat(servers, held, seconds) {
  const messages = Array.from({ length: connections }, (_, connection) => {
    // Those of the server that this connection goes to.
    const own = held.filter((_, index) => index % connections === connection);
    return attaching(own.slice(0, handlesPerStream), handlesPerStream)[0];
  });
  const shape = { stream: true, heartbeat: true, connections, streams: 1, depth: 8000, seconds };
  const result = await underLoad(servers, { path: '/leasehold.v1.LeaseService/Heartbeat', messages, ...shape });
  return { rate: result.rate * handlesPerStream, busy: result.busy };
}

/** The same with Puts: as many in flight, from the same clients. */
async function measurePuts(etcd, { seconds }) {
  const parts = { etcd: etcd.members };
  const value = Buffer.alloc(350, 'v');
  const results = {};
  for (const workers of [1, 64]) {
    const put = (worker) => etcd.put({ key: Buffer.from(`bench/put-${worker}`), value });
    results[acquireAndRelease(workers)] = await watched(parts, () => repeat({ workers, seconds }, put));
  }
  const messages = Array.from({ length: 960 }, (_, index) =>
    etcdRequest('KV', 'Put', { key: Buffer.from(`bench/${index}`), value }),
  );
  const shape = { connections, streams: callsPerConnection, seconds };
  results[renew] = await watched(parts, () => underLoad([etcd], { path: '/etcdserverpb.KV/Put', messages, ...shape }));
  return results;
}

async function underLoad(targets, config) {
  const result = await load(targets, { warmUpSeconds, ...config });
  return {
    rate: result.rate,
    p50Ms: result.p50Micros / 1000,
    p99Ms: result.p99Micros / 1000,
    busy: { generator: result.busy.generator },
  };
}

async function leaseholdCycle(client, name) {
  const { outcome } = await client.acquire(acquireRequest(name, 60_000));
  const { namespace, fencingToken } = outcome.value;
  await client.release({ namespace, name, fencingToken, transferTo: '' });
}

/** Acquires leases so that those a connection of the load generator names are attended by the server it goes to. */
async function acquireSpread(servers, count) {
  const of = await Promise.all(
    servers.map((server, at) => acquireMany(server, Math.ceil(count / servers.length), { prefix: `lease-${at}` })),
  );
  return Array.from({ length: count }, (_, index) => of[index % servers.length][Math.floor(index / servers.length)]);
}

/** A server that has just been started is slow at first. */
const warmUpSeconds = 3;

/** Repeats an action on all workers for a while, after a time that does not count. */
async function repeat({ workers, seconds }, action) {
  const latencies = [];
  const before = process.cpuUsage();
  const begin = performance.now();
  const from = begin + warmUpSeconds * 1000;
  const until = from + seconds * 1000;
  const work = async (worker) => {
    for (let sent = performance.now(); sent < until;) {
      await action(worker);
      const now = performance.now();
      if (sent >= from) latencies.push(now - sent);
      sent = now;
    }
  };
  await Promise.all(Array.from({ length: workers }, (_, worker) => work(worker)));
  const end = performance.now();
  const { user, system } = process.cpuUsage(before);
  return {
    rate: (latencies.length * 1000) / (end - from),
    p50Ms: percentile(latencies, 0.5),
    p99Ms: percentile(latencies, 0.99),
    busy: { client: (user + system) / 1000 / (end - begin) },
  };
}

/** Adds what the parts were busy meanwhile, in shares of one core, and what etcd did. */
async function watched(parts, action) {
  const [etcd] = parts.etcd;
  const metricsBefore = etcd && (await etcdMetrics(etcd));
  const read = () => Object.entries(parts).map(([part, processes]) => [part, processorTimeOf(processes).all]);
  const before = Object.fromEntries(read());
  const begin = performance.now();
  const result = await action();
  const elapsed = (performance.now() - begin) / 1000;
  const busy = Object.fromEntries(read().map(([part, time]) => [part, (time - before[part]) / elapsed]));
  const metrics = etcd && (await etcdMetrics(etcd));
  const done = etcd && Object.fromEntries(Object.entries(metrics).map(([name, to]) => [name, to - metricsBefore[name]]));
  return { ...result, busy: { ...busy, ...result.busy }, done };
}
