import {
  createClient,
  LeaseholdError,
  RefusedError,
  type Client,
  type ClientOptions,
  type HeartbeatNodesOptions,
  type Lease,
  type LeaseEvent,
  type NodeAgent,
  type Transport,
} from '@leasehold/sdk';
import { FakeClock, settle, TestServer } from '@leasehold/sdk/testing';
import { onTestFinished } from 'vitest';

export const namespace = 'kube-node-lease';

/** A server, a client for agents whose traffic is seen, and a clock that stands still until the test moves it. */
export class NodeWorld {
  readonly clock: FakeClock;
  readonly server: TestServer;
  readonly tap: Tap;
  readonly client: Client;

  private constructor(clock: FakeClock, server: TestServer) {
    this.clock = clock;
    this.server = server;
    this.tap = new Tap(clock);
    this.client = this.tapped({ holder: 'agent' });
  }

  static async start(): Promise<NodeWorld> {
    const clock = new FakeClock();
    const server = await TestServer.start({ clock });
    onTestFinished(() => server.close());
    return new NodeWorld(clock, server);
  }

  /** A client whose traffic is seen. */
  tapped({ clock = this.clock, ...options }: ClientOptions & { readonly clock?: FakeClock } = {}): Client {
    const client = createClient({ ...options, clock, transport: this.tap.on(this.server.transport({ clock })) });
    onTestFinished(() => this.end(client.close()));
    return client;
  }

  /** An agent that has what it wants. */
  async keep(options: HeartbeatNodesOptions = {}): Promise<NodeAgent> {
    const agent = this.client.heartbeatNodes({ nodes: ['node-1'], ...options });
    await this.end(agent.ready());
    return agent;
  }

  /** Lets time pass until something has settled. */
  async end<T>(promise: Promise<T>, withinMs = 60_000): Promise<T> {
    const settled = promise.then(
      () => true,
      () => true,
    );
    const soon = async (): Promise<boolean> => {
      await settle();
      return Promise.race([settled, Promise.resolve(false)]);
    };
    for (let ms = 0; !(await soon()); ms += 100) {
      if (ms >= withinMs) throw new Error(`did not settle within ${withinMs} ms`);
      await this.clock.advance(100);
    }
    return promise;
  }

  /** The lease of a node, as somebody else sees it. */
  seen(node = 'node-1'): Promise<Lease> {
    return this.end(this.server.client().get(node, { namespace }));
  }

  /** Changes of leases that somebody else hears of from now on. */
  async watch(): Promise<LeaseEvent[]> {
    const events: LeaseEvent[] = [];
    const stream = this.server.client().watch({ namespace, includeRenewals: true });
    void (async () => {
      for await (const event of stream) events.push(event);
    })().catch(() => undefined);
    await this.clock.advance(0);
    return events;
  }
}

/** What travels between clients and their server. */
export class Tap {
  /** Calls that were made, and when. */
  readonly calls: { readonly call: string; readonly atMs: number }[] = [];
  /** Messages on heartbeat streams: how many leases they beat and attach. */
  readonly beats: { readonly stream: number; readonly handles: number; readonly attach: number }[] = [];
  /** How many calls were under way at once. */
  atOnceMax = 0;
  /** What a call runs into before it is sent; `undefined`: nothing. */
  trouble: (call: string) => Promise<void> | undefined = () => undefined;
  readonly #clock: FakeClock;
  #atOnce = 0;
  #streams = 0;

  constructor(clock: FakeClock) {
    this.#clock = clock;
  }

  on(transport: Transport): Transport {
    return new Proxy(transport, {
      get: (target, key: keyof Transport) => {
        if (key === 'canMove') return target.canMove;
        if (key === 'heartbeat') return (sink: Sink) => this.#seen(target.heartbeat(sink));
        const call = (target[key] as (...args: unknown[]) => unknown).bind(target);
        return ['acquire', 'update', 'release', 'delete'].includes(key) ? this.#counted(key, call) : call;
      },
    });
  }

  count(call: string): number {
    return this.calls.filter((made) => made.call === call).length;
  }

  #counted(call: string, make: (...args: unknown[]) => unknown) {
    return async (...args: unknown[]): Promise<unknown> => {
      this.calls.push({ call, atMs: this.#clock.monotonicMs() });
      this.#atOnce += 1;
      this.atOnceMax = Math.max(this.atOnceMax, this.#atOnce);
      try {
        await this.trouble(call);
        return await make(...args);
      } finally {
        this.#atOnce -= 1;
      }
    };
  }

  #seen(stream: Stream): Stream {
    const number = (this.#streams += 1);
    return {
      send: (message) => {
        this.beats.push({ stream: number, handles: message.handles.length, attach: message.attach.length });
        stream.send(message);
      },
      close: () => stream.close(),
    };
  }
}

type Stream = ReturnType<Transport['heartbeat']>;
type Sink = Parameters<Transport['heartbeat']>[0];

/** What an agent tells. */
export class Diary {
  readonly held: string[] = [];
  readonly lost: { readonly node: string; readonly reason: string }[] = [];
  readonly errors: { readonly node: string; readonly error: Error }[] = [];

  readonly hooks: HeartbeatNodesOptions = {
    onHeld: (node) => this.held.push(node),
    onLost: (node, error) => this.lost.push({ node, reason: error instanceof LeaseholdError ? error.reason : error.message }),
    onError: (node, error) => this.errors.push({ node, error }),
  };
}

export function named(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `node-${index + 1}`);
}

export function refused(): RefusedError {
  return new RefusedError({ code: 'PERMISSION_DENIED', reason: 'PERMISSION_DENIED', message: 'not yours' });
}

/** Something to wait for until it is opened. */
export function gate() {
  let open!: () => void;
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open };
}
