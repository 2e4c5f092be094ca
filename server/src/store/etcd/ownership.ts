import { randomUUID } from 'node:crypto';
import type { Clock } from '@leasehold/core';
import { sleep } from '../../clock.js';
import { EtcdError, type EtcdClient } from './client.js';
import type { Compare } from './rpc.js';

/** What an ownership is made of. */
export interface OwnershipOptions {
  readonly client: EtcdClient;
  /** The key that names the owner. */
  readonly key: Buffer;
  readonly clock: Clock;
  /** How long an owner that is not heard of keeps others out, in milliseconds; at least three times what a call may take. */
  readonly ttlMs: number;
  /** Told once if somebody else is the owner, who is waited for. */
  readonly onWait?: () => void;
  /** Ends the waiting. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * The right to be the only server on a store, as long as it is renewed.
 *
 * The key holds a random text of the owner's, which every transaction of the owner's compares: one that lands after somebody else has
 * become the owner changes nothing. The owner writes the same text anew every so often. Who wants to be the next one has to have seen
 * the key unchanged for `ttlMs` on its own clock; the owner counts from before it has sent its last renewal that came back, less 2 %.
 * So the clocks of machines are never compared, and at any instant one owner at most believes to be it.
 */
export class Ownership {
  readonly #options: OwnershipOptions;
  #id: string;
  #validUntilMs: number;
  #cancel: () => void = () => undefined;
  #isOver = false;

  /** Becomes the owner, as soon as nobody else is. @throws {EtcdError} etcd does not answer, or refuses. */
  static async acquire(options: OwnershipOptions): Promise<Ownership> {
    const { client, key, clock, ttlMs, signal } = options;
    const id = randomUUID();
    let seen = { revision: '', atMs: 0 };
    let isTold = false;
    for (;;) {
      signal?.throwIfAborted();
      const { kvs } = await client.insist('Range', { key }, clock.monotonicMs() + ttlMs);
      const owner = kvs[0];
      // Before an answer came, it was so for no time at all.
      const nowMs = clock.monotonicMs();
      if (owner !== undefined && owner.mod_revision !== seen.revision) {
        seen = { revision: owner.mod_revision, atMs: nowMs };
      }
      if (owner === undefined || nowMs - seen.atMs >= ttlMs) {
        const compare: Compare =
          owner === undefined
            ? { key, result: 'EQUAL', target: 'CREATE', create_revision: '0' }
            : { key, result: 'EQUAL', target: 'MOD', mod_revision: owner.mod_revision };
        const sentMs = clock.monotonicMs();
        if (await take(options, compare, id)) return new Ownership(options, id, sentMs);
        continue;
      }
      if (!isTold) options.onWait?.();
      isTold = true;
      await sleep(clock, Math.min(pollMs, ttlMs / 4));
    }
  }

  private constructor(options: OwnershipOptions, id: string, sentMs: number) {
    this.#options = options;
    this.#id = id;
    this.#validUntilMs = this.#validFrom(sentMs);
    this.#renewIn(options.ttlMs / 3);
  }

  /** Until when nobody else can be the owner, on the monotonic clock. */
  get validUntilMs(): number {
    return this.#validUntilMs;
  }

  /** What a transaction of the owner's has to compare. */
  get proof(): Compare {
    return { key: this.#options.key, result: 'EQUAL', target: 'VALUE', value: Buffer.from(this.#id) };
  }

  /**
   * Takes another text, so that no transaction that was sent before can land any more. @throws it is not the owner any more, or nobody
   * knows in time.
   */
  async renounceWhatWasSent(): Promise<void> {
    const before = this.proof;
    const id = randomUUID();
    const sentMs = this.#options.clock.monotonicMs();
    // From here on a renewal with the text of before may fail without meaning anything.
    this.#id = id;
    while (!(await take(this.#options, before, id, this.#validUntilMs))) {
      this.#lose();
      throw new Error('etcd: another server has become the owner of the store');
    }
    this.#validUntilMs = this.#validFrom(sentMs);
  }

  /** Gives it up, for the next one to be the owner at once. */
  async release(): Promise<void> {
    if (this.#isOver) return;
    const { client, clock, key, ttlMs } = this.#options;
    this.#lose();
    const success = [{ request_delete_range: { key } }];
    await client.insist('Txn', { compare: [this.proof], success }, clock.monotonicMs() + ttlMs);
  }

  #renewIn(delayMs: number): void {
    this.#cancel = this.#options.clock.after(delayMs, () => void this.#renew());
  }

  async #renew(): Promise<void> {
    const { client, clock, key, ttlMs } = this.#options;
    const [id, sentMs] = [this.#id, clock.monotonicMs()];
    try {
      const success = [{ request_put: { key, value: Buffer.from(id) } }];
      const { succeeded } = await client.call('Txn', { compare: [this.proof], success }, ttlMs / 4);
      if (this.#isOver) return;
      if (!succeeded && id === this.#id) {
        this.#lose();
        return;
      }
      if (succeeded) this.#validUntilMs = Math.max(this.#validUntilMs, this.#validFrom(sentMs));
      this.#renewIn(ttlMs / 3);
    } catch (error) {
      if (!(error instanceof EtcdError)) throw error;
      // Another member may answer in time; if none does, it lapses.
      if (!this.#isOver) this.#renewIn(ttlMs / 30);
    }
  }

  #validFrom(sentMs: number): number {
    return sentMs + this.#options.ttlMs * 0.98;
  }

  #lose(): void {
    this.#isOver = true;
    this.#validUntilMs = -Infinity;
    this.#cancel();
  }
}

/** How often is looked whether there is still an owner. */
const pollMs = 250;

/** Puts a text of one's own into the key. `false`: the condition does not hold. An answer that is lost is asked for again. */
async function take(
  { client, key, clock, ttlMs }: OwnershipOptions,
  compare: Compare,
  id: string,
  untilMs: number = clock.monotonicMs() + ttlMs,
): Promise<boolean> {
  const value = Buffer.from(id);
  const success = [{ request_put: { key, value } }];
  const { succeeded } = await client.insist('Txn', { compare: [compare], success }, untilMs);
  if (succeeded) return true;
  // It may have been done by an attempt whose answer was lost.
  const { kvs } = await client.insist('Range', { key }, untilMs);
  return kvs[0]?.value.equals(value) === true;
}
