import type { Clock } from '@leasehold/core';
import { EtcdError, type Etcd } from './client.js';
import type { Compare } from './rpc.js';
import type { SessionTtl } from './session-ttl.js';

/** What a session is made of. */
export interface SessionOptions {
  readonly client: Etcd;
  readonly clock: Clock;
  /** Random, and never used before. */
  readonly id: string;
  /** Its key. */
  readonly key: Buffer;
  readonly ttl: SessionTtl;
  /** A renewal has not come back by the time of the next one. */
  onSilence(): void;
  /** It is over, and not because of `end`. */
  onLost(): void;
}

/**
 * That this server lives: a key of its own, which it writes anew every so often.
 *
 * It counts from before a renewal was sent that has come back on the server's own feed: so until `validUntilMs` no other server can take
 * it for gone, and everything that was committed more than `ttlMs` ago is known here. Clocks of different machines are never compared.
 */
export class Session {
  readonly #options: SessionOptions;
  readonly #compare: Compare;
  /** When each renewal was sent that has not come back. */
  readonly #sentMs = new Map<string, number>();
  #count = 0;
  #validUntilMs: number;
  #cancel: () => void = () => undefined;
  #isOver = false;

  /** Once another TTL is agreed on it is never there. @throws {EtcdError} etcd does not answer, or refuses. */
  static async begin(options: SessionOptions, untilMs: number): Promise<Session> {
    const { client, clock, key, ttl } = options;
    const sentMs = clock.monotonicMs();
    const absent: Compare = { key, result: 'EQUAL', target: 'CREATE', create_revision: '0' };
    const success = [{ request_put: { key, value: Buffer.from('0') } }];
    // It may have been done by an attempt whose answer was lost.
    await client.insist('Txn', { compare: [absent, ttl.compare], success }, untilMs);
    return new Session(options, sentMs);
  }

  private constructor(options: SessionOptions, sentMs: number) {
    this.#options = options;
    this.#compare = { key: options.key, result: 'GREATER', target: 'CREATE', create_revision: '0' };
    this.#validUntilMs = this.#validFrom(sentMs);
    this.#renewIn(options.ttl.ms / 3);
  }

  get id(): string {
    return this.#options.id;
  }

  /** Until when no other server can take this one for gone, on the monotonic clock. */
  get validUntilMs(): number {
    return this.#validUntilMs;
  }

  /** A renewal has come back. */
  renewed(value: string): void {
    const sentMs = this.#sentMs.get(value);
    if (this.#isOver || sentMs === undefined) return;
    // Those before it will not come any more.
    for (const earlier of this.#sentMs.keys()) {
      this.#sentMs.delete(earlier);
      if (earlier === value) break;
    }
    this.confirmed(sentMs);
  }

  /** It was there, with all that there was, when a read was answered that had been sent at `sentMs`. */
  confirmed(sentMs: number): void {
    if (!this.#isOver) this.#validUntilMs = Math.max(this.#validUntilMs, this.#validFrom(sentMs));
  }

  /** Its key is gone. */
  deleted(): void {
    if (this.#isOver) return;
    this.#stop();
    this.#options.onLost();
  }

  /** Ends it, so that the others know at once. @throws {EtcdError} */
  async end(): Promise<void> {
    if (this.#isOver) return;
    const { client, clock, key, ttl } = this.#options;
    this.#stop();
    await client.insist('Txn', { compare: [], success: [{ request_delete_range: { key } }] }, clock.monotonicMs() + ttl.ms);
  }

  #renewIn(delayMs: number): void {
    const { clock } = this.#options;
    // In a process that was held up a renewal may have come back, and not been read.
    this.#cancel = clock.after(delayMs, () =>
      clock.soon(() => {
        if (!this.#isOver) void this.#renew();
      }),
    );
  }

  async #renew(): Promise<void> {
    const { client, clock, key, ttl } = this.#options;
    if (this.#sentMs.size > 0) this.#options.onSilence();
    const value = String(++this.#count);
    const sentMs = clock.monotonicMs();
    this.#sentMs.set(value, sentMs);
    try {
      const success = [{ request_put: { key, value: Buffer.from(value) } }];
      const { succeeded } = await client.call('Txn', { compare: [this.#compare], success }, ttl.ms / 4);
      if (this.#isOver) return;
      // One whose answer took long is followed at once: the time that it gains counts from when it was sent.
      if (succeeded) this.#renewIn(Math.max(sentMs + ttl.ms / 3 - clock.monotonicMs(), ttl.ms / 30));
      else this.deleted();
    } catch (error) {
      if (!(error instanceof EtcdError)) throw error;
      // Another member may answer in time; if none does, it lapses.
      if (!this.#isOver) this.#renewIn(ttl.ms / 30);
    }
  }

  #validFrom(sentMs: number): number {
    return sentMs + this.#options.ttl.ms * 0.98;
  }

  #stop(): void {
    this.#isOver = true;
    this.#validUntilMs = -Infinity;
    this.#cancel();
  }
}
