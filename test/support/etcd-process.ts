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

/** A program of etcd, and why tests that need it are skipped; empty: they are not. */
export interface EtcdProgram {
  readonly version: string;
  readonly path: string;
  readonly missing: string;
}

/** What the other tests run on; built by `.ci/toolchains`, so that in CI it has to be there. */
const etcd36 = programOf('3.6', 'etcd', process.env['CI'] !== undefined);

/** Every etcd that stores are tried with. Debian's 3.4 is fetched by `.ci/toolchains` where the distribution has it. */
export const etcdPrograms: readonly EtcdProgram[] = [programOf('3.4', 'etcd-3.4', false), etcd36];

/** Why tests that need etcd are skipped; empty: they are not. */
export const withoutEtcd = etcd36.missing;

/** An etcd of one member on loopback, which can be killed, paused and started again. */
export class EtcdProcess {
  readonly endpoint: string;
  readonly #program: EtcdProgram;
  readonly #folder: string;
  readonly #peer: string;
  readonly #flags: readonly string[];
  #child: ChildProcess | undefined;

  /** Starts one on an empty data directory. */
  static async start(flags: readonly string[] = [], program: EtcdProgram = etcd36): Promise<EtcdProcess> {
    const folder = await mkdtemp(join(tmpdir(), 'leasehold-etcd-'));
    const etcd = new EtcdProcess({ program, folder, port: await freePort(), peerPort: await freePort(), flags });
    await etcd.start();
    return etcd;
  }

  private constructor({ program, folder, port, peerPort, flags }: EtcdProcessParts) {
    this.#program = program;
    this.#folder = folder;
    this.endpoint = `http://127.0.0.1:${port}`;
    this.#peer = `http://127.0.0.1:${peerPort}`;
    this.#flags = flags;
  }

  /** Starts it, and waits until it answers. */
  async start(): Promise<void> {
    this.#child = spawn(
      this.#program.path,
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

interface EtcdProcessParts {
  readonly program: EtcdProgram;
  readonly folder: string;
  readonly port: number;
  readonly peerPort: number;
  readonly flags: readonly string[];
}

function programOf(version: string, name: string, isRequired: boolean): EtcdProgram {
  const path = fileURLToPath(new URL(`../.cache/bin/${name}`, import.meta.url));
  const missing = existsSync(path) || isRequired ? '' : ` (skipped: .ci/toolchains has not brought etcd ${version})`;
  return { version, path, missing };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
