import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';

const main = fileURLToPath(new URL('../../cli/dist/main.js', import.meta.url));

export interface ServerProcessOptions {
  /** Default: `memory:`. */
  readonly store?: string;
  /** Default: 0, a free port. */
  readonly port?: number;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** A server as its users run it: a process of its own. */
export class ServerProcess {
  readonly address: string;
  readonly port: number;
  /** Where it serves the Kubernetes API: `host:port`, or nothing where it does not. */
  readonly httpAddress: string;
  /** What it has logged, line by line. */
  readonly log: readonly string[];
  readonly #child: ChildProcess;
  readonly #exited: Promise<unknown>;

  private constructor(child: ChildProcess, exited: Promise<unknown>, { address, http }: Serving, log: readonly string[]) {
    this.log = log;
    this.#child = child;
    this.#exited = exited;
    this.address = address;
    this.port = Number(address.split(':').at(-1));
    this.httpAddress = http ?? '';
  }

  /** Starts a server for one test: it is killed when the test ends. */
  static async start(options: ServerProcessOptions = {}): Promise<ServerProcess> {
    const server = await ServerProcess.launch(options);
    onTestFinished(() => server.kill());
    return server;
  }

  /** Starts a server that its caller stops. */
  static async launch(options: ServerProcessOptions = {}): Promise<ServerProcess> {
    const { store = 'memory:', port = 0, args = [], env = {} } = options;
    const child = spawn(process.execPath, [main, 'serve', '--store', store, '--listen', `127.0.0.1:${port}`, ...args], {
      stdio: ['ignore', 'pipe', 'inherit'],
      // Tests turn on what they are about: the Kubernetes API has one port by default, and the server's own lease takes revisions.
      env: { LEASEHOLD_HTTP_LISTEN: 'off', ...process.env, LEASEHOLD_IDENTITY_LEASE: 'off', ...env },
    });
    const exited = once(child, 'exit');
    const log: string[] = [];
    return new ServerProcess(child, exited, await serving(child, exited, log), log);
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** `kill -9`. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#exited;
  }

  /** SIGTERM; resolves with the exit code. */
  async stop(): Promise<number | null> {
    this.#child.kill('SIGTERM');
    await this.#exited;
    return this.#child.exitCode;
  }
}

/** A directory that goes with the test. */
export async function temporaryDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'leasehold-test-'));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

/** A port that was free a moment ago, for a server that is to come back on it. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  return typeof address === 'object' && address !== null ? address.port : 0;
}

/** What it logs when it serves. */
interface Serving {
  readonly msg: string;
  readonly address: string;
  readonly http?: string;
}

/** What it logs is read to the end, lest it stops at a full pipe. */
function serving(child: ChildProcess, exited: Promise<unknown>, log: string[]): Promise<Serving> {
  return new Promise((resolve, reject) => {
    if (child.stdout !== null) {
      createInterface(child.stdout).on('line', (line) => {
        log.push(line);
        const entry = JSON.parse(line) as Serving;
        if (entry.msg === 'Serving') {
          resolve(entry);
        }
      });
    }
    void exited.then(() => {
      reject(new Error(`The server ended before it served: ${log.join('\n')}`));
    });
  });
}
