import type { Clock } from '@leasehold/core';
import { EtcdError, type Etcd } from './client.js';

/** What the other servers are known by. */
export interface PeersOptions {
  readonly client: Etcd;
  readonly clock: Clock;
  readonly ttlMs: number;
  /** The key of a session. */
  readonly keyOf: (id: string) => Buffer;
}

/**
 * The sessions of the other servers. One that has been seen unchanged for `ttlMs`, on the clock of this server, is deleted: that is its
 * end for everybody. It is deleted only as it was seen, so one whose renewal is under way to here lives on.
 */
export class Peers {
  readonly #options: PeersOptions;
  readonly #seen = new Map<string, { readonly modRevision: string; readonly atMs: number }>();
  #cancel: () => void = () => undefined;

  constructor(options: PeersOptions) {
    this.#options = options;
    this.#lookIn(options.ttlMs / 6);
  }

  /** It has begun, or has been renewed. */
  seen(id: string, modRevision: string): void {
    this.#seen.set(id, { modRevision, atMs: this.#options.clock.monotonicMs() });
  }

  /** It has ended. */
  deleted(id: string): void {
    this.#seen.delete(id);
  }

  stop(): void {
    this.#cancel();
  }

  #lookIn(delayMs: number): void {
    this.#cancel = this.#options.clock.after(delayMs, () => {
      this.#lookIn(delayMs);
      const nowMs = this.#options.clock.monotonicMs();
      for (const [id, { modRevision, atMs }] of this.#seen) {
        if (nowMs - atMs >= this.#options.ttlMs) void this.#delete(id, modRevision);
      }
    });
  }

  async #delete(id: string, modRevision: string): Promise<void> {
    const { client, keyOf, ttlMs } = this.#options;
    const key = keyOf(id);
    try {
      await client.call(
        'Txn',
        {
          compare: [{ key, result: 'EQUAL', target: 'MOD', mod_revision: modRevision }],
          success: [{ request_delete_range: { key } }],
        },
        ttlMs / 4,
      );
    } catch (error) {
      // There is a next time.
      if (!(error instanceof EtcdError)) throw error;
    }
  }
}
