import type { Caller } from './api.js';
import type { Claim } from '../lease/commands.js';
import type { Queue } from '../lease/situation.js';

/** Somebody who waits for one lease. */
export interface Waiter {
  readonly claim: Claim;
  readonly priority: number;
  /** Order of arrival, over all queues. A waiter that takes over its own place keeps it. */
  readonly order: number;
  readonly caller: Caller;
  /** Whether a change that grants it the lease is in flight. */
  granting: boolean;
}

/** Who waits for one lease: the highest priority first, in order of arrival within one. Nobody who is known to be gone is next. */
export class WaitQueue<W extends Waiter> implements Queue {
  readonly #waiters: W[] = [];
  readonly othersFirst = false;

  get size(): number {
    return this.#waiters.length;
  }

  [Symbol.iterator](): IterableIterator<W> {
    return this.#waiters.values();
  }

  add(waiter: W): void {
    let low = 0;
    let high = this.#waiters.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const other = this.#waiters[middle];
      if (other !== undefined && comesBefore(other, waiter)) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    this.#waiters.splice(low, 0, waiter);
  }

  remove(waiter: W): void {
    const at = this.#waiters.indexOf(waiter);
    if (at !== -1) {
      this.#waiters.splice(at, 1);
    }
  }

  /** The priority of who is next; `undefined`: nobody is. */
  get priority(): number | undefined {
    return this.#waiters.find(canBeGranted)?.priority;
  }

  first(): Claim | undefined {
    return this.#waiters.find(canBeGranted)?.claim;
  }

  named(holder: string): Claim | undefined {
    const waiter = this.find((claim) => claim.holder === holder);
    return waiter !== undefined && canBeGranted(waiter) ? waiter.claim : undefined;
  }

  /** The waiter whose claim fits. */
  find(fits: (claim: Claim) => boolean): W | undefined {
    return this.#waiters.find((waiter) => fits(waiter.claim));
  }
}

/** Those who wait here, while somebody on another server is to be granted before them. */
export class WaitingBehindOthers implements Queue {
  readonly #here: Queue;
  readonly othersFirst = true;

  constructor(here: Queue) {
    this.#here = here;
  }

  first(): undefined {
    return undefined;
  }

  named(holder: string): Claim | undefined {
    return this.#here.named(holder);
  }
}

function comesBefore(left: Waiter, right: Waiter): boolean {
  return left.priority === right.priority ? left.order < right.order : left.priority > right.priority;
}

function canBeGranted(waiter: Waiter): boolean {
  return !waiter.granting && !waiter.caller.gone;
}
