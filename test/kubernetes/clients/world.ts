import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient, type Client, type Lease, type LeaseEvent, type LeaseWatch } from '@leasehold/sdk';
import { freePort, ServerProcess } from '../../support/server-process.js';
import { ClientProgram } from './client-program.js';
import { encrypted } from './encrypted.js';
import { Home } from './home.js';

interface WorldOptions {
  /** Whether the Kubernetes API is encrypted. Default: no. */
  readonly tls?: boolean;
  /** Default: a file, which a restart finds again. */
  readonly store?: string;
  /** Further options of the server. */
  readonly args?: readonly string[];
}

interface WorldParts {
  readonly home: Home;
  /** Where the store is. */
  readonly directory: string;
  /** @param httpPort another one than that of the kubeconfig; 0: any. */
  readonly launch: (httpPort?: number) => Promise<ServerProcess>;
  readonly remove: () => Promise<void>;
  readonly server: ServerProcess;
}

/** A server whose addresses outlive it, a home with its kubeconfig, and a client over gRPC. */
export class World {
  readonly home: Home;
  readonly grpc: Client;
  readonly #directory: string;
  readonly #launch: WorldParts['launch'];
  readonly #remove: () => Promise<void>;
  readonly #programs: ClientProgram[] = [];
  readonly #watches: LeaseWatch[] = [];
  #server: ServerProcess;

  private constructor({ home, directory, launch, remove, server }: WorldParts) {
    this.home = home;
    this.grpc = createClient({ endpoints: [server.address] });
    this.#directory = directory;
    this.#launch = launch;
    this.#remove = remove;
    this.#server = server;
  }

  static async start({ tls = false, store, args = [] }: WorldOptions = {}): Promise<World> {
    const [port, ownHttpPort] = [await freePort(), await freePort()];
    const encryption = tls ? await encrypted() : undefined;
    const directory = await mkdtemp(join(tmpdir(), 'leasehold-world-'));
    const home = await Home.make(`127.0.0.1:${ownHttpPort}`, encryption?.ca);
    const launch = (httpPort = ownHttpPort): Promise<ServerProcess> =>
      ServerProcess.launch({
        port,
        store: store ?? `sqlite:${join(directory, 'leases.db')}`,
        args: [...args, ...(encryption?.args ?? [])],
        env: { LEASEHOLD_HTTP_LISTEN: `127.0.0.1:${httpPort}` },
      });
    const remove = async (): Promise<void> => {
      await Promise.all([home.remove(), encryption?.remove(), rm(directory, { recursive: true, force: true })]);
    };
    return new World({ home, directory, launch, remove, server: await launch() });
  }

  /** Where it serves gRPC. */
  get address(): string {
    return this.#server.address;
  }

  /** Ends what was started here, and leaves nothing behind. */
  async stop(): Promise<void> {
    await Promise.all(this.#programs.map((program) => program.kill()));
    for (const watch of this.#watches) watch.close();
    await this.grpc.close();
    await this.#server.kill();
    await this.#remove();
  }

  /** Starts a program as a user of that home. */
  run(command: string, ...args: readonly string[]): ClientProgram {
    const program = new ClientProgram(command, args, this.home.environment());
    this.#programs.push(program);
    return program;
  }

  /** `kill -9`, and a new server in its place. */
  async crash(): Promise<void> {
    await this.#server.kill();
    this.#server = await this.#launch();
  }

  /** `kill -9`; changes over gRPC while those who have the kubeconfig cannot reach the server; and `kill -9` again. */
  async away(change: () => Promise<unknown>): Promise<void> {
    await this.#server.kill();
    this.#server = await this.#launch(0);
    await change();
    await this.crash();
  }

  /** An orderly end, and a new server in its place. */
  async restart(): Promise<void> {
    await this.#server.stop();
    this.#server = await this.#launch();
  }

  /** `kill -9`, and a new server in its place that has nothing of what the old one had. */
  async lose(): Promise<void> {
    await this.#server.kill();
    await rm(this.#directory, { recursive: true });
    await mkdir(this.#directory);
    this.#server = await this.#launch();
  }

  /** Follows leases over gRPC, from now on. */
  async watch(scope: { readonly namespace: string; readonly name?: string }): Promise<Watcher> {
    const watch = this.grpc.watch(scope);
    this.#watches.push(watch);
    await watch.ready({ timeoutMs: 30_000 });
    return new Watcher(watch);
  }
}

/** What somebody sees who watches over gRPC. */
class Watcher {
  readonly events: LeaseEvent[] = [];
  /** Those who wait for the next event. */
  #waiting: (() => void)[] = [];

  constructor(watch: AsyncIterable<LeaseEvent>) {
    void (async () => {
      for await (const event of watch) {
        this.events.push(event);
        for (const wake of this.#waiting.splice(0)) wake();
      }
    })();
  }

  /** What happened to a lease, and who held it then. */
  historyOf(name: string): string[] {
    return this.events.filter(({ lease }) => lease.name === name).map(({ type, lease }) => `${type} ${lease.holder}`.trim());
  }

  /** Waits until an event has come that fits. */
  async until(accept: (event: LeaseEvent) => boolean): Promise<Lease> {
    for (;;) {
      const event = this.events.find((each) => accept(each));
      if (event !== undefined) return event.lease;
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }
}
