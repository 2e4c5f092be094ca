import { type Client, LeaderElector, type LeaderElectorOptions, type Lease, type Term } from '@leasehold/sdk';
import { type TestClientOptions, TestServer } from '@leasehold/sdk/testing';
import { onTestFinished } from 'vitest';

/** A server that ends with the test. */
export async function serve(): Promise<TestServer> {
  const server = await TestServer.start();
  onTestFinished(() => server.close());
  return server;
}

/** A candidate who leads for as long as it is let, and notes down what happens to it. */
export class Candidate {
  readonly client: Client;
  readonly elector: LeaderElector;
  readonly terms: Term[] = [];
  readonly log: string[] = [];
  readonly leaders: (string | undefined)[] = [];
  /** How long the work takes to stop once it is told, in milliseconds. */
  stopMs = 0;
  #stop = new AbortController();
  /** How the run ended. */
  ended: Promise<unknown> = Promise.resolve();
  readonly #server: TestServer;
  readonly #clock: TestServer['clock'];

  constructor(
    server: TestServer,
    holder: string,
    { elector, ...options }: TestClientOptions & { elector?: Partial<LeaderElectorOptions> } = {},
  ) {
    this.#server = server;
    this.#clock = options.clock ?? server.clock;
    this.client = server.client({ ...options, holder });
    this.elector = new LeaderElector(this.client, { name: 'x', ...elector });
  }

  /** Stands for election. */
  async run(): Promise<this> {
    this.#stop = new AbortController();
    this.ended = this.elector.run(this, { signal: this.#stop.signal }).then(
      () => 'ended',
      (error: unknown) => error,
    );
    await this.#server.clock.advance(0);
    return this;
  }

  /** Stops. */
  abort(): void {
    this.#stop.abort();
  }

  /** Stops, and lets as much time pass as that takes. */
  async stop(): Promise<unknown> {
    this.#stop.abort();
    await this.#server.clock.advance(this.stopMs);
    return this.ended;
  }

  /** The term that it believes in. */
  get term(): Term | undefined {
    return this.elector.isLeader() ? this.terms.at(-1) : undefined;
  }

  async onStartedLeading(term: Term): Promise<void> {
    this.terms.push(term);
    this.log.push('started');
    if (!term.signal.aborted) {
      await new Promise<void>((resolve) => {
        term.signal.addEventListener('abort', () => resolve());
      });
    }
    this.log.push('told to stop');
    if (this.stopMs > 0) await new Promise<void>((resolve) => this.#clock.after(this.stopMs, resolve));
    this.log.push('work ended');
  }

  onStoppedLeading(): void {
    this.log.push('stopped');
  }

  onNewLeader(leader: Lease): void {
    this.leaders.push(leader.holder);
  }
}

/** Whoever believes that it leads. */
export function believers(candidates: readonly Candidate[]): Candidate[] {
  return candidates.filter(({ term }) => term !== undefined);
}
