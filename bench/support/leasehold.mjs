// A Leasehold server as its users run it, with a store of its own.
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import grpc from '@grpc/grpc-js';
import { LeaseServiceClient } from '@leasehold/proto/leasehold/v1/lease_service';
import { start } from './process.mjs';

const main = fileURLToPath(new URL('../../cli/dist/main.js', import.meta.url));
const probe = new URL('probe.mjs', import.meta.url).href;

/** The namespace of everything that the benchmark makes. */
export const namespace = 'bench';

/** Runs `action` with a server on a fresh store: a SQLite file, unless the benchmark was told `--memory`. `flags`: more of them. */
export async function withLeasehold({ memory, flags }, action) {
  return withStore(async (file) => {
    const server = await startLeasehold(memory ? 'memory:' : file, flags);
    try {
      return await action(server);
    } catch (error) {
      throw new Error(`${error.message}\n${server.output()}`, { cause: error });
    } finally {
      await server.stop();
    }
  });
}

/** Runs `action` with several servers that share the leases in `etcd`. */
export async function withReplicas({ etcd, count, flags = [] }, action) {
  const servers = [];
  try {
    const store = `etcd:${etcd.members.map(({ address }) => `http://${address}`).join(',')}`;
    while (servers.length < count) servers.push(await startLeasehold(store, ['--http-listen', 'off', ...flags]));
    return await action(servers);
  } catch (error) {
    throw new Error([error.message, ...servers.map(({ output }) => output())].join('\n'), { cause: error });
  } finally {
    await Promise.all(servers.map((server) => server.stop()));
  }
}

/** Runs `action` with the location of a SQLite file that is removed afterwards. */
export async function withStore(action) {
  const folder = mkdtempSync(join(tmpdir(), 'leasehold-bench-'));
  try {
    return await action(`sqlite:${join(folder, 'leases.db')}`);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/**
 * Starts a server and waits until it serves.
 *
 * @returns `address`, `http` (where the Kubernetes API is served), `pid`, `client` (the calls of the benchmark's own client as promises), `connect` for more connections, `ask` for the
 *   loop's lag since it was last asked and the memory in use, and `startedInMs`
 */
export async function startLeasehold(store, flags = ['--http-listen', 'off']) {
  const begin = performance.now();
  const command = ['--expose-gc', '--import', probe, main, 'serve', '--store', store, '--listen', '127.0.0.1:0', ...flags];
  const server = start(process.execPath, command, { stdio: ['ignore', 'pipe', 'pipe', 'ipc'] });
  const { address, http } = await serving(server);
  const startedInMs = performance.now() - begin;
  const clients = [];
  const connect = () => {
    const client = new LeaseServiceClient(address, grpc.credentials.createInsecure(), { 'grpc.use_local_subchannel_pool': 1 });
    clients.push(client);
    return client;
  };
  return {
    address,
    http,
    startedInMs,
    pid: server.child.pid,
    output: server.output,
    client: promises(connect()),
    connect,
    async ask(question = 'read') {
      server.child.send(question);
      const [answer] = await once(server.child, 'message');
      return answer;
    },
    async stop(signal) {
      for (const client of clients) client.close();
      await server.stop(signal);
    },
  };
}

/** The unary calls of a client as promises. */
export function promises(client) {
  const call = (method) => promisify(client[method].bind(client));
  return { acquire: call('acquire'), release: call('release'), renew: call('renew'), get: call('get'), list: call('list') };
}

/** What an Acquire says; `more` over the defaults. */
export function acquireRequest(name, durationMs, more = {}) {
  const duration = { seconds: BigInt(Math.floor(durationMs / 1000)), nanos: Math.floor((durationMs % 1000) * 1e6) };
  const empty = {
    acquireId: '',
    wait: undefined,
    priority: 0,
    labels: {},
    annotations: {},
    lockDelay: undefined,
    keepAfterExpiry: undefined,
  };
  return { namespace, name, holder: `holder-of-${name}`, duration, ...empty, ...more };
}

/** Acquires leases, a hundred at a time, and returns what renewing and attaching them takes. */
export async function acquireMany({ client }, count, { durationMs = 3_600_000, prefix = 'lease' } = {}) {
  const held = [];
  for (let from = 0; from < count; from += 100) {
    const names = Array.from({ length: Math.min(100, count - from) }, (_, index) => `${prefix}-${from + index}`);
    const answers = await Promise.all(names.map((name) => client.acquire(acquireRequest(name, durationMs))));
    for (const { outcome } of answers) {
      const { name, holder, fencingToken } = outcome.value;
      held.push({ namespace, name, holder, fencingToken });
    }
  }
  return held;
}

function serving(server) {
  return new Promise((resolve, reject) => {
    createInterface(server.child.stdout).on('line', (line) => {
      const { msg, address, http } = JSON.parse(line);
      if (msg === 'Serving') resolve({ address, http });
    });
    server.child.on('exit', () => reject(new Error(`The server ended: ${server.output()}`)));
  });
}
