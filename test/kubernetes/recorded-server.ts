import { once } from 'node:events';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { defaultLimits, MemoryDisk, MemoryStore, startCoordinator, type LeaseCoordinator } from '@leasehold/core';
import { FakeClock } from '@leasehold/sdk/testing';
import { allowAll } from '../../server/dist/kubernetes/access/authorizer.js';
import { KubernetesApi } from '../../server/dist/kubernetes/api.js';
import { HttpServer } from '../../server/dist/kubernetes/http/server.js';
import { LeaseService } from '../../server/dist/kubernetes/lease-service.js';
import { createRoutes } from '../../server/dist/kubernetes/routes.js';

/** What is sent. */
export interface Sent {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array | undefined;
}

/** Between which versions a server has a history. */
interface Versions {
  /** What was there before is compacted. */
  readonly oldest: bigint;
  readonly current: bigint;
}

/**
 * A server whose versions, uids, times and generated names a test decides about: so it can be brought into the very state in which
 * another server was when it was recorded.
 */
export class RecordedServer {
  readonly #clock: FakeClock;
  readonly #coordinator: LeaseCoordinator;
  readonly #next: { uid: string; suffix: string };
  readonly #http: HttpServer;
  #port = 0;

  private constructor(clock: FakeClock, coordinator: LeaseCoordinator, next: { uid: string; suffix: string }) {
    this.#clock = clock;
    this.#coordinator = coordinator;
    this.#next = next;
    const engine = { current: () => coordinator };
    const leases = new LeaseService({ engine, clock, strict: false, newSuffix: () => next.suffix });
    this.#http = new HttpServer({
      api: new KubernetesApi(createRoutes({ leases, engine, authorizer: allowAll, clock }), allowAll),
      clock,
      log: {
        error({ err }) {
          throw err;
        },
      },
      listen: { host: '127.0.0.1', port: 0 },
      tls: undefined,
      ...{ connectionsMax: 100, streamsPerConnectionMax: 100 },
    });
  }

  static async start({ oldest, current }: Versions): Promise<RecordedServer> {
    const clock = new FakeClock();
    const next = { uid: '', suffix: '' };
    const disk = Object.assign(new MemoryDisk(), { floor: oldest, revision: current });
    const coordinator = await startCoordinator({
      // The first version follows from what is on the disk, and not from the time.
      store: new MemoryStore({ disk, wallMs: () => 0 }),
      clock,
      limits: defaultLimits,
      newUid: () => next.uid,
      onFailure(error) {
        throw error;
      },
    });
    const server = new RecordedServer(clock, coordinator, next);
    server.#port = await server.#http.listen();
    return server;
  }

  stop(): Promise<void> {
    return this.#http.shutdown(0);
  }

  /** Lets changes happen elsewhere until this is the current version. */
  async reach(version: bigint): Promise<void> {
    while (this.#coordinator.revision < version) {
      this.#next.uid = `filler-${this.#coordinator.revision}`;
      await this.#coordinator.submit({ kind: 'create', namespace: 'elsewhere', name: this.#next.uid, metadata: {} });
    }
  }

  /** Sets the wall clock. */
  setTime(wallMs: number): void {
    this.#clock.jumpWall(wallMs - this.#clock.wallMs());
  }

  /** What the next lease is told apart by. */
  setNext(uid: string, suffix: string): void {
    Object.assign(this.#next, { uid, suffix });
  }

  /** Sends a request. What it is answered with is to be read. */
  async send({ method, path, headers, body }: Sent): Promise<IncomingMessage> {
    const length = body === undefined ? {} : { 'content-length': String(body.length) };
    const request = httpRequest({ port: this.#port, method, path, agent: false, headers: { ...headers, ...length } });
    const answered = once(request, 'response') as Promise<[IncomingMessage]>;
    request.end(body);
    const [response] = await answered;
    return response;
  }
}
