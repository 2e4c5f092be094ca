import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createClient, LeaseholdError, type Client, type HeldLease } from '@leasehold/sdk';
import { expect, it, onTestFinished } from 'vitest';
import { freePort, ServerProcess, temporaryDirectory } from '../support/server-process.js';

const rounds = 50;
const writers = 6;

/**
 * Takes, changes and gives back one lease, over and over, and remembers what was acknowledged. Everything it does carries a number in
 * an annotation, so that after a crash the record tells what has survived.
 */
class Writer {
  readonly name: string;
  readonly #client: Client;
  attempted = 0;
  acknowledged = 0;
  token = 0n;
  version = 0n;
  #stopped = false;
  readonly #done: Promise<void>;

  constructor(client: Client, index: number) {
    this.#client = client;
    this.name = `writer-${index}`;
    this.#done = this.#run();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#done;
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      try {
        await this.#once();
      } catch (error) {
        if (!(error instanceof LeaseholdError)) {
          throw error;
        }
        await sleep(5);
      }
    }
  }

  async #once(): Promise<void> {
    const number = ++this.attempted;
    const acquired = await this.#client.acquire(this.name, {
      holder: this.name,
      durationMs: 600_000,
      annotations: { number: String(number) },
      timeoutMs: 2_000,
    });
    if (acquired.granted === undefined) {
      // A grant whose answer the crash swallowed: give it back by its token.
      await this.#client.release(this.name, { fencingToken: acquired.busy.fencingToken, timeoutMs: 2_000 });
      return;
    }
    const { fencingToken } = acquired.granted;
    if (fencingToken <= this.token) {
      throw new Error(`Token ${fencingToken} of ${this.name} after ${this.token}`);
    }
    this.token = fencingToken;
    this.acknowledged = number;
    const updated = ++this.attempted;
    const lease = await this.#client.update(this.name, { annotations: { number: String(updated) }, timeoutMs: 2_000 });
    if (lease.resourceVersion <= this.version) {
      throw new Error(`Version ${lease.resourceVersion} of ${this.name} after ${this.version}`);
    }
    this.version = lease.resourceVersion;
    this.acknowledged = updated;
    await acquired.granted.release();
  }
}

it(`loses nothing that was acknowledged in ${rounds} kills at random moments, and clients carry on by themselves`, async () => {
  const port = await freePort();
  const store = `sqlite:${join(await temporaryDirectory(), 'leases.db')}`;
  let server = await ServerProcess.start({ store, port });
  const client = createClient({ endpoints: [server.address] });
  onTestFinished(() => client.close());

  const held: HeldLease[] = [];
  for (let index = 0; index < 20; index++) {
    const { granted } = await client.acquire(`held-${index}`, { durationMs: 15_000 });
    if (granted !== undefined) {
      held.push(granted);
    }
  }
  expect(held).toHaveLength(20);

  const seen: bigint[] = [];
  const watching = new AbortController();
  const watched = (async () => {
    for await (const event of client.watch({ signal: watching.signal })) {
      seen.push(event.revision);
    }
  })().catch((error: unknown) => {
    if (!watching.signal.aborted) {
      throw error;
    }
  });

  const load = Array.from({ length: writers }, (_, index) => new Writer(client, index));
  for (let round = 0; round < rounds; round++) {
    await sleep(50 + Math.random() * 250);
    const before = load.map(({ acknowledged, token, version }) => ({ acknowledged, token, version }));
    await server.kill();
    server = await ServerProcess.start({ store, port });
    for (const [index, writer] of load.entries()) {
      const known = before[index];
      if (known !== undefined && known.acknowledged > 0) {
        const lease = await client.get(writer.name, { timeoutMs: 5_000 });
        expect(Number(lease.annotations['number'])).toBeGreaterThanOrEqual(known.acknowledged);
        expect(Number(lease.annotations['number'])).toBeLessThanOrEqual(writer.attempted);
        expect(lease.fencingToken).toBeGreaterThanOrEqual(known.token);
        expect(lease.resourceVersion).toBeGreaterThanOrEqual(known.version);
      }
    }
  }
  await Promise.all(load.map((writer) => writer.stop()));

  expect(Math.min(...load.map(({ acknowledged }) => acknowledged))).toBeGreaterThan(rounds);
  for (const lease of held) {
    expect(lease.signal.aborted).toBe(false);
    expect(lease.status).toBe('held');
    const record = await client.get(lease.name);
    expect(record).toMatchObject({ state: 'HELD', fencingToken: lease.fencingToken });
  }
  await sleep(200);
  watching.abort();
  await watched;
  expect(seen.every((revision, index) => index === 0 || revision >= (seen[index - 1] ?? 0n))).toBe(true);
  expect(seen.length).toBeGreaterThan(rounds * writers);
}, 180_000);
