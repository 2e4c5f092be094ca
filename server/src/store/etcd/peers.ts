import type { Clock } from '@leasehold/core';
import { EtcdError, type Etcd } from './client.js';
import type { SessionTtl } from './session-ttl.js';

/** What the other servers are known by. */
export interface PeersOptions {
  readonly client: Etcd;
  readonly clock: Clock;
  readonly ttl: SessionTtl;
  /** The key of a session. */
  readonly keyOf: (id: string) => Buffer;
}

/**
 * The sessions of the other servers. One that has been seen unchanged for their TTL, on the clock of this server, is deleted: that is its
 * end for everybody. It is deleted only as it was seen, so one whose renewal is under way to here lives on; and only while the TTL is
 * the one that was counted, for a server that knows nothing of a longer one would end a session before its time.
 */
export class Peers {
  readonly #options: PeersOptions;
  readonly #seen = new Map<string, { readonly modRevision: string; readonly atMs: number }>();
  #cancel: () => void = () => undefined;

  constructor(options: PeersOptions) {
    this.#options = options;
    this.#lookIn(options.ttl.ms / 6);
  }

  /** It has begun, or has been renewed. */
  seen(id: string, modRevision: string): void {
    this.#seen.set(id, { modRevision, atMs: this.#options.clock.monotonicMs() });
  }

  /** It has ended. */
  deleted(id: string): void {
    this.#seen.delete(id);
  }

  /** Those that were seen before and are not among these have ended, and nobody will tell. */
  forgetOthers(living: ReadonlySet<string>): void {
    for (const id of this.#seen.keys()) if (!living.has(id)) this.#seen.delete(id);
  }

  stop(): void {
    this.#cancel();
  }

  #lookIn(delayMs: number): void {
    this.#cancel = this.#options.clock.after(delayMs, () => {
      this.#lookIn(delayMs);
      const nowMs = this.#options.clock.monotonicMs();
      for (const [id, { modRevision, atMs }] of this.#seen) {
        if (nowMs - atMs >= this.#options.ttl.ms) void this.#delete(id, modRevision);
      }
    });
  }

  async #delete(id: string, modRevision: string): Promise<void> {
    const { client, keyOf, ttl } = this.#options;
    const key = keyOf(id);
    try {
      await client.call(
        'Txn',
        {
          compare: [{ key, result: 'EQUAL', target: 'MOD', mod_revision: modRevision }, ttl.compare],
          success: [{ request_delete_range: { key } }],
        },
        ttl.ms / 4,
      );
    } catch (error) {
      // There is a next time.
      if (!(error instanceof EtcdError)) throw error;
    }
  }
}
