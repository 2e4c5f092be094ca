import type { Clock } from '@leasehold/core';
import type { Etcd } from './client.js';
import type { KeyRange } from './keys.js';
import type { Event } from './rpc.js';

/** What a feed is made of. */
export interface FeedOptions {
  readonly client: Etcd;
  readonly clock: Clock;
  readonly range: KeyRange;
  /** What happens, in order, none of it twice. */
  onEvent(event: Event): void;
  /** A part of what has happened is not to be had any more. */
  onGap(reason: string): void;
}

/** Everything that happens to a range of keys, from a revision of etcd on, over connections that break. */
export class Feed {
  readonly #options: FeedOptions;
  /** The last revision of etcd that was handed over. */
  #revision: bigint;
  #cancel: () => void = () => undefined;
  #isOver = false;

  constructor(options: FeedOptions, revision: bigint) {
    this.#options = options;
    this.#revision = revision;
    this.#open();
  }

  /** Connects anew, to another member: this one may have been cut off from the others. */
  reconnect(): void {
    this.#cancel();
    if (!this.#isOver) this.#open();
  }

  stop(): void {
    this.#isOver = true;
    this.#cancel();
  }

  #open(): void {
    const { client, range } = this.#options;
    const request = { create_request: { ...range, start_revision: String(this.#revision + 1n) } };
    this.#cancel = client.watch(
      request,
      ({ canceled, compact_revision: compacted, cancel_reason: reason, events }) => {
        events.forEach((event) => this.#take(event));
        if (events.length > 0) this.#revision = BigInt(events.at(-1)?.kv.mod_revision ?? 0);
        if (!canceled) return;
        if (compacted === '0') this.#openLater();
        else this.#options.onGap(`etcd has compacted what came after ${this.#revision}: ${reason}`);
      },
      () => this.#openLater(),
    );
  }

  #take(event: Event): void {
    // A transaction is never cut, so that what has been seen is known by its revision.
    if (!this.#isOver && BigInt(event.kv.mod_revision) > this.#revision) this.#options.onEvent(event);
  }

  #openLater(): void {
    this.#cancel();
    if (this.#isOver) return;
    this.#cancel = this.#options.clock.after(pauseMs, () => this.#open());
  }
}

/** Before a watch that has ended is opened again. */
const pauseMs = 100;
