import { mkdtemp, rm } from 'node:fs/promises';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createClient, type Client, type ClientOptions } from '@leasehold/sdk';
import { parseOptions, startServer, type RunningServer } from '@leasehold/server';
import { onTestFinished } from 'vitest';

/** A server on a free port, or on the one given; it ends with the test. */
export async function serve(store = 'memory:', port = 0): Promise<RunningServer> {
  const request = parseOptions(['--listen', `127.0.0.1:${port}`, '--store', store], {});
  if (request.kind !== 'serve') throw new Error('asked for help');
  const server = await startServer(request.options);
  onTestFinished(() => server.drain().catch(() => undefined));
  return server;
}

/** A store in a file that goes with the test. */
export async function storeFile(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'leasehold-sdk-'));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  return `sqlite:${join(directory, 'leases.db')}`;
}

/** A client that is closed with the test. */
export function clientOf(address: string, options: ClientOptions = {}): Client {
  const client = createClient({ endpoints: [address], ...options });
  onTestFinished(() => client.close());
  return client;
}

/** Waits for a condition that nothing announces. */
export async function eventually(condition: () => boolean | Promise<boolean>, withinMs = 15_000): Promise<void> {
  const deadline = performance.now() + withinMs;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`did not come true within ${withinMs} ms`);
    await sleep(10);
  }
}

/** A network between clients and a server that can be cut, or go silent. */
export class Network {
  readonly #pairs = new Set<readonly [Socket, Socket]>();
  readonly #server = createServer((near) => {
    const far = connect(this.#port, '127.0.0.1');
    const pair = [near, far] as const;
    this.#pairs.add(pair);
    for (const socket of pair) {
      socket.on('error', () => undefined);
      socket.on('close', () => {
        this.#drop(pair);
      });
    }
    near.pipe(far);
    far.pipe(near);
  });
  readonly #port: number;

  private constructor(port: number) {
    this.#port = port;
  }

  /** A network to a server; it ends with the test. */
  static async to(port: number): Promise<Network> {
    const network = new Network(port);
    await new Promise<void>((resolve) => network.#server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => {
      network.cut();
      network.#server.close();
    });
    return network;
  }

  get address(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  get connections(): number {
    return this.#pairs.size;
  }

  /** Closes every connection. New ones can be made. */
  cut(): void {
    for (const pair of [...this.#pairs]) this.#drop(pair);
  }

  /** Leaves every connection open but carries nothing more on it, as when a router has forgotten it. New ones can be made. */
  silence(): void {
    for (const [near, far] of this.#pairs) {
      near.unpipe(far);
      far.unpipe(near);
    }
  }

  #drop(pair: readonly [Socket, Socket]): void {
    this.#pairs.delete(pair);
    for (const socket of pair) socket.destroy();
  }
}
