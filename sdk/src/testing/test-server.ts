import { randomUUID } from 'node:crypto';
import { defaultLimits, LeaseError, MemoryDisk, MemoryStore, startCoordinator } from '@leasehold/core';
import { type Client, createClient } from '../client.js';
import type { ClientOptions } from '../options.js';
import type { Transport } from '../transport/transport.js';
import { FakeClock } from './fake-clock.js';
import { Front } from './front.js';
import { TestLink } from './link.js';
import { ProcessStore } from './process-store.js';
import { InProcessTransport } from './transport.js';
import type { Network } from './wire.js';

/** Options of `TestServer.start`. */
export interface TestServerOptions {
  /** Default: one of its own, which `TestServer.clock` is. */
  readonly clock?: FakeClock | undefined;
}

/** Where a client of a `TestServer` lives. */
export interface TestPlace {
  /** Time in the client's process, made by `FakeClock.process` to pause or kill it or to let its clocks differ. Default: the server's. */
  readonly clock?: FakeClock | undefined;
  /** The network between the client and the server. Default: one that nothing disturbs. */
  readonly link?: Network | undefined;
}

/** Options of `TestServer.client`. */
export interface TestClientOptions extends TestPlace, Omit<ClientOptions, 'clock' | 'transport' | 'endpoints'> {}

/**
 * A Leasehold server in this process: the real coordinator, with leases in memory, under a clock that only the test moves. For tests
 * of what uses the SDK: nothing waits, and nothing listens on a port.
 *
 * ```ts
 * await using server = await TestServer.start();
 * const link = new TestLink();
 * void server.client({ holder: 'one', link }).elect('job', {}, work);
 * void server.client({ holder: 'two' }).elect('job', {}, work);
 * await server.clock.advance(1_000); // One leads.
 * link.cut();
 * await server.clock.advance(15_000); // The lease of the one has run out, and the other leads.
 * ```
 */
export class TestServer {
  /** True time: `advance` lets it pass for the server and all its clients. */
  readonly clock: FakeClock;
  readonly #disk = new MemoryDisk();
  readonly #clients = new Set<Client>();
  readonly #links = new Set<Network>();
  #running: Running | undefined;

  private constructor(clock: FakeClock) {
    this.clock = clock;
  }

  /** Starts a server without any leases. */
  static async start({ clock = new FakeClock() }: TestServerOptions = {}): Promise<TestServer> {
    const server = new TestServer(clock);
    await server.restart();
    return server;
  }

  /** A client of this server, which is closed with it. */
  client({ clock, link, ...options }: TestClientOptions = {}): Client {
    const place = { clock: clock ?? this.clock, link };
    const client = createClient({ ...options, clock: place.clock, transport: this.transport(place) });
    this.#clients.add(client);
    return client;
  }

  /** A transport to this server, for whoever makes a client by `createClient` or puts something in between. */
  transport({ clock = this.clock, link = new TestLink() }: TestPlace = {}): Transport {
    this.#links.add(link);
    const front = (): Front | undefined => this.#running?.front;
    return new InProcessTransport(clock, link, {
      clock: this.clock,
      get front() {
        return front();
      },
    });
  }

  /** Shuts the server down in order, as SIGTERM does. The leases stay, for `restart`. */
  async stop(): Promise<void> {
    const running = this.#running;
    const front = running?.front;
    if (running === undefined || front === undefined) return;
    running.front = undefined;
    await front.drain(new LeaseError('DRAINING', 'Server is draining: try another one, or again in a moment'));
    if (this.#running === running) this.crash();
  }

  /** Ends the server at once, as SIGKILL does: what it knew from memory is gone, what was committed stays, for `restart`. */
  crash(): void {
    this.#running?.process.kill();
    this.#running?.store.kill();
    this.#running = undefined;
    for (const link of this.#links) link.reset();
  }

  /** Starts the server again on what was committed; one that runs crashes first. */
  async restart(): Promise<void> {
    this.crash();
    const process = this.clock.process();
    const store = new ProcessStore(new MemoryStore({ wallMs: () => process.wallMs(), disk: this.#disk }));
    const running: Running = { process, store, front: undefined };
    this.#running = running;
    const coordinator = await startCoordinator({
      store,
      clock: process,
      limits: defaultLimits,
      newUid: randomUUID,
      onFailure: (error) => {
        throw error;
      },
    });
    running.front = new Front(coordinator, process);
  }

  /** Pauses the server's process, as SIGSTOP does: everything that reaches it waits. */
  pause(): void {
    this.#running?.process.pause();
  }

  /** Lets it go on. */
  resume(): void {
    this.#running?.process.resume();
  }

  /** Closes all clients and ends the server, letting as much time pass as that takes. Idempotent. */
  async close(): Promise<void> {
    const open = new Set(this.#clients);
    for (const client of open) {
      void client.close().finally(() => open.delete(client));
    }
    await this.clock.advance(0);
    // One whose process is paused or killed never gets there.
    for (let seconds = 0; seconds < closeSecondsMax && open.size > 0; seconds += 1) await this.clock.advance(1_000);
    this.crash();
  }

  /** Closes all clients and ends the server. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

/** A server process. */
interface Running {
  readonly process: FakeClock;
  readonly store: ProcessStore;
  /** `undefined` while it starts, and once it drains. */
  front: Front | undefined;
}

const closeSecondsMax = 120;
