import type { Clock } from '@leasehold/core';
import { EtcdError, type Etcd } from './client.js';

/**
 * Has etcd forget older versions of its keys, which it otherwise keeps for ever: the renewals of the ownership alone make one a second.
 * Nothing here reads them; what others do in the same etcd can for five minutes (as kube-apiserver's --etcd-compaction-interval has it).
 */
export class MvccCompaction {
  readonly #client: Etcd;
  readonly #clock: Clock;
  readonly #key: Buffer;
  #cancel: () => void = () => undefined;
  #isOver = false;

  /** @param key any key; reading it tells the revision of etcd. */
  constructor(client: Etcd, clock: Clock, key: Buffer) {
    this.#client = client;
    this.#clock = clock;
    this.#key = key;
    this.#schedule('0');
  }

  stop(): void {
    this.#isOver = true;
    this.#cancel();
  }

  /** `before`: etcd's revision an interval ago; 0: not known. */
  #schedule(before: string): void {
    this.#cancel = this.#clock.after(intervalMs, () => void this.#run(before));
  }

  async #run(before: string): Promise<void> {
    let now = before;
    try {
      now = (await this.#client.call('Range', { key: this.#key })).header.revision;
      if (before !== '0') await this.#client.call('Compact', { revision: before });
    } catch (error) {
      // Somebody else has compacted already, or etcd is away: there is a next time.
      if (!(error instanceof EtcdError)) throw error;
    }
    if (!this.#isOver) this.#schedule(now);
  }
}

const intervalMs = 300_000;
