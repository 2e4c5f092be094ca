import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { systemClock } from '../../server/dist/clock.js';
import { EtcdClient, EtcdError } from '../../server/dist/store/etcd/client.js';

/** Built by `.ci/toolchains`. */
const etcdProgram = fileURLToPath(new URL('../.cache/bin/etcd', import.meta.url));

/** Why tests that need etcd are skipped; empty: they are not. */
export const withoutEtcd =
  existsSync(etcdProgram) || process.env['CI'] !== undefined ? '' : ' (skipped: .ci/toolchains has not built etcd)';

/** An etcd of one member on loopback, which can be killed, paused and started again. */
export class EtcdProcess {
  readonly endpoint: string;
  readonly #folder: string;
  readonly #peer: string;
  readonly #flags: readonly string[];
  #child: ChildProcess | undefined;

  /** Starts one on an empty data directory. */
  static async start(flags: readonly string[] = []): Promise<EtcdProcess> {
    const folder = await mkdtemp(join(tmpdir(), 'leasehold-etcd-'));
    const etcd = new EtcdProcess(folder, await freePort(), { port: await freePort(), flags });
    await etcd.start();
    return etcd;
  }

  private constructor(folder: string, port: number, peer: { readonly port: number; readonly flags: readonly string[] }) {
    this.#folder = folder;
    this.endpoint = `http://127.0.0.1:${port}`;
    this.#peer = `http://127.0.0.1:${peer.port}`;
    this.#flags = peer.flags;
  }

  /** Starts it, and waits until it answers. */
  async start(): Promise<void> {
    this.#child = spawn(
      etcdProgram,
      [
        ...['--data-dir', this.#folder, '--log-level', 'error', '--initial-cluster', `default=${this.#peer}`],
        ...['--listen-client-urls', this.endpoint, '--advertise-client-urls', this.endpoint],
        ...['--listen-peer-urls', this.#peer, '--initial-advertise-peer-urls', this.#peer],
        ...this.#flags,
      ],
      { stdio: 'ignore' },
    );
    const client = this.client();
    await client.insist('Range', { key: Buffer.from('ready') }, systemClock.monotonicMs() + 60_000).catch((error: unknown) => {
      // It answers: with no.
      if (!(error instanceof EtcdError) || !error.isRefusal) throw error;
    });
    client.close();
  }

  /** A client that the caller closes. */
  client(): EtcdClient {
    return new EtcdClient({ endpoints: [this.endpoint], clock: systemClock });
  }

  signal(signal: NodeJS.Signals): void {
    this.#child?.kill(signal);
  }

  async kill(): Promise<void> {
    const child = this.#child;
    if (child?.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
  }

  async dispose(): Promise<void> {
    await this.kill();
    await rm(this.#folder, { recursive: true, force: true });
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
