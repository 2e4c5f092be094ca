import {
  createClient,
  LeaseholdError,
  WatchExpiredError,
  type Client,
  type Informer,
  type Lease,
  type LeaseChange,
} from '@leasehold/sdk';
import { TestLink, TestServer } from '@leasehold/sdk/testing';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { recordOf } from './support/informers.js';

/** What a reader of changes has, checking that each change fits it. */
class Follower {
  readonly #leases = new Map<string, Lease>();
  readonly #print: Print;

  constructor(print: Print) {
    this.#print = print;
  }

  take({ type, lease, previous }: LeaseChange): void {
    const known = this.#leases.get(lease.name);
    expect(previous && this.#print(previous)).toBe(known && this.#print(known));
    expect(type === 'add').toBe(known === undefined);
    if (known !== undefined) expect(lease.uid).toBe(known.uid);
    if (known !== undefined && type === 'update') expect(lease.resourceVersion).toBeGreaterThan(known.resourceVersion);
    if (type === 'delete') this.#leases.delete(lease.name);
    else this.#leases.set(lease.name, lease);
  }

  get records(): string[] {
    return [...this.#leases.values()].map(this.#print).sort();
  }
}

/** A server, an informer over a network that fails, and two who follow it: a handler, and a reader that is slow. */
class World {
  readonly server: TestServer;
  readonly informer: Informer;
  readonly #client: Client;
  readonly #link = new TestLink();
  readonly #print: Print;
  readonly #handler: Follower;
  readonly #reader: Follower;
  readonly #changes: AsyncIterator<LeaseChange, void>;
  /** What the two found wrong. */
  readonly #faults: Error[] = [];
  #reading: Promise<unknown> | undefined;
  #expires = false;

  constructor(server: TestServer, includeRenewals: boolean) {
    this.server = server;
    // Without renewals a cache does not follow versions that only a renewal made.
    this.#print = includeRenewals ? recordOf : (lease) => recordOf({ ...lease, resourceVersion: 0n });
    this.#handler = new Follower(this.#print);
    this.#reader = new Follower(this.#print);
    this.#client = server.client();
    const transport = server.transport({ link: this.#link });
    const watch = transport.watch.bind(transport);
    transport.watch = (request, signal) => (this.#expired() ? failing() : watch(request, signal));
    const list = transport.list.bind(transport);
    // Pages so small and slow that things happen while they are listed.
    transport.list = async (request, call) => {
      await new Promise<void>((resolve) => server.clock.after(10, resolve));
      return list({ ...request, pageSize: 1 }, call);
    };
    const options = { labelSelector: 'in=yes', indexLabels: ['app'], includeRenewals };
    this.informer = createClient({ transport, clock: server.clock }).informer(options);
    this.informer.on('change', (change) => {
      this.#handler.take(change);
    });
    this.informer.on('error', (error) => {
      if (!(error instanceof LeaseholdError)) this.#faults.push(error);
    });
    this.#changes = this.informer.changes()[Symbol.asyncIterator]();
  }

  /** Does something, whether or not the state of things allows it. */
  async do(step: Step): Promise<void> {
    switch (step.kind) {
      case 'read':
        this.#read();
        return;
      case 'wait':
        return this.server.clock.advance(step.ms);
      case 'cut':
        this.#link.cut();
        return;
      case 'restore':
        this.#link.restore();
        return;
      case 'expire':
        this.#expires = true;
        this.#link.reset();
        // Until a list is under way.
        return this.server.clock.advance(70);
      case 'restart':
        return this.server.restart();
      default:
        await this.#change(step).catch(() => undefined);
    }
  }

  /** Ends all faults, lets everybody catch up, and compares. */
  async check(): Promise<void> {
    this.#link.restore();
    await this.server.clock.advance(60_000);
    const records: string[] = [];
    for await (const lease of this.#client.list({ labelSelector: 'in=yes' })) records.push(this.#print(lease));
    records.sort();
    expect([...this.informer].map(this.#print).sort()).toEqual(records);
    expect(this.#handler.records).toEqual(records);
    for (let turns = 0; turns < 40; turns += 1) {
      this.#read();
      await this.server.clock.advance(0);
    }
    expect(this.#faults).toEqual([]);
    expect(this.#reader.records).toEqual(records);
    for (const app of ['a', 'b']) {
      const indexed = this.informer.byLabel('app', app).map(this.#print).sort();
      expect(indexed).toEqual(
        [...this.informer]
          .filter(({ labels }) => labels['app'] === app)
          .map(this.#print)
          .sort(),
      );
    }
  }

  async #change({ kind, name, labels }: Change): Promise<void> {
    if (kind === 'create') await this.#client.create(name, { labels });
    if (kind === 'update') await this.#client.update(name, { labels });
    if (kind === 'delete') await this.#client.delete(name, { uid: (await this.#client.get(name)).uid });
    if (kind === 'acquire') await this.#client.acquire(name, { durationMs: 2000 });
    if (kind === 'release') await this.#client.release(name, { fencingToken: (await this.#client.get(name)).fencingToken });
  }

  #read(): void {
    this.#reading ??= this.#changes
      .next()
      .then(({ value }) => {
        this.#reading = undefined;
        if (value !== undefined) this.#reader.take(value);
      })
      .catch((error: unknown) => this.#faults.push(error as Error));
  }

  #expired(): boolean {
    const expires = this.#expires;
    this.#expires = false;
    return expires;
  }
}

async function* failing(): AsyncGenerator<never, void, undefined> {
  throw new WatchExpiredError({ code: 'OUT_OF_RANGE', reason: 'REVISION_COMPACTED', message: 'gone' });
}

interface Change {
  readonly kind: 'create' | 'update' | 'delete' | 'acquire' | 'release';
  readonly name: string;
  readonly labels: Record<string, string>;
}
type Print = (lease: Lease) => string;
type Step =
  Change | { readonly kind: 'read' | 'cut' | 'restore' | 'expire' | 'restart' } | { readonly kind: 'wait'; readonly ms: number };

const names = ['x', 'y', 'z'];
const labels = fc.record({ in: fc.constantFrom('yes', 'yes', 'no'), app: fc.constantFrom('a', 'b') });
const change: fc.Arbitrary<Change> = fc.record({
  kind: fc.constantFrom('create', 'create', 'update', 'update', 'delete', 'acquire', 'release'),
  name: fc.constantFrom(...names),
  labels,
});
const fault = fc.constantFrom('read', 'read', 'cut', 'restore', 'expire', 'restart').map((kind) => ({ kind }));
const wait = fc.constantFrom(0, 10, 10, 10, 100, 3000).map((ms): Step => ({ kind: 'wait', ms }));
const steps = fc.array(
  fc.oneof({ weight: 4, arbitrary: change }, { weight: 2, arbitrary: fault }, { weight: 2, arbitrary: wait }),
  {
    maxLength: 40,
    size: 'max',
  },
);

it('has what the server has once the faults have stopped, and its changes lead there, whatever happens', async () => {
  await fc.assert(
    fc.asyncProperty(steps, fc.boolean(), async (run, includeRenewals) => {
      await using server = await TestServer.start();
      for (const name of names) await server.client().create(name, { labels: { in: 'yes' } });
      const world = new World(server, includeRenewals);
      for (const step of run) await world.do(step);
      await world.check();
    }),
    { numRuns: 150 },
  );
}, 120_000);
