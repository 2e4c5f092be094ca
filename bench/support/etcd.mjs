// etcd, built from its Go module and run with its defaults on a fresh data directory.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import grpc from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { goProgram } from './go.mjs';
import { freePort, start } from './process.mjs';

const source = fileURLToPath(new URL('../etcd', import.meta.url));
const loaded = loadSync(join(source, 'rpc.proto'), { longs: String, keepCase: true });
const { KV, Lease } = grpc.loadPackageDefinition(loaded).etcdserverpb;

/** The bytes of a message of etcd's API, by the path of its method. */
export function etcdRequest(service, method, message) {
  return loaded[`etcdserverpb.${service}`][method].requestSerialize(message);
}

/**
 * Runs `action` with an etcd of its own. `flags`: more of them.
 *
 * @returns what `action` does, with `address`, `pid` and the unary calls as promises of the first member, and `members`, each with both
 */
export async function withEtcd(action, { flags = [], count = 1 } = {}) {
  const program = await goProgram(source, 'etcd');
  const folder = mkdtempSync(join(tmpdir(), 'leasehold-bench-etcd-'));
  const places = [];
  while (places.length < count) {
    const [address, peer] = [`127.0.0.1:${await freePort()}`, `http://127.0.0.1:${await freePort()}`];
    places.push({ name: `member-${places.length}`, address, peer });
  }
  const cluster = places.map(({ name, peer }) => `${name}=${peer}`).join(',');
  const processes = places.map(({ name, address, peer }) =>
    start(program, [
      ...['--name', name, '--data-dir', join(folder, name), '--log-level', 'error', '--initial-cluster', cluster],
      ...['--listen-client-urls', `http://${address}`, '--advertise-client-urls', `http://${address}`],
      ...['--listen-peer-urls', peer, '--initial-advertise-peer-urls', peer],
      ...flags,
    ]),
  );
  const members = places.map(({ address }, at) => ({ address, pid: processes[at].child.pid }));
  const etcd = connect(members[0].address);
  try {
    await etcd.ready();
    return await action({ ...etcd, ...members[0], members });
  } catch (error) {
    throw new Error(`etcd: ${error.message}\n${processes.map(({ output }) => output()).join('\n')}`, { cause: error });
  } finally {
    etcd.close();
    await Promise.all(processes.map((process) => process.stop('SIGKILL')));
    rmSync(folder, { recursive: true });
  }
}

function connect(address) {
  const options = [address, grpc.credentials.createInsecure(), { 'grpc.initial_reconnect_backoff_ms': 50 }];
  const [kv, lease] = [new KV(...options), new Lease(...options)];
  const call = (client, name) => promisify(client[name].bind(client));
  const put = call(kv, 'Put');
  return {
    put,
    txn: call(kv, 'Txn'),
    grant: call(lease, 'LeaseGrant'),
    revoke: call(lease, 'LeaseRevoke'),
    /** Resolves once it takes writes. */
    ready: () =>
      promisify(
        kv.Put.bind(kv, { key: Buffer.from('ready') }, new grpc.Metadata({ waitForReady: true }), {
          deadline: Date.now() + 30_000,
        }),
      )(),
    close() {
      kv.close();
      lease.close();
    },
  };
}
