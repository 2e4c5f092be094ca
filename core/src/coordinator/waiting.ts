import type { Entry } from './entry.js';
import type { Pending, PendingWaiter } from './pending.js';
import type { Clock } from '../clock.js';
import type { AcquireCommand, Claim } from '../lease/commands.js';
import { LeaseError, limitExceeded } from '../lease/errors.js';
import type { Limits } from '../lease/limits.js';
import { busyAnswer } from '../lease/verbs/acquire.js';

/**
 * Everybody who waits for a lease, over all leases: who comes, takes over a place, leaves, or has waited long enough. A waiter whose
 * grant is in flight is past leaving: if its caller is gone by then, the grant is taken back.
 */
export class Waiting {
  readonly #clock: Clock;
  readonly #limits: Limits;
  readonly #left: (entry: Entry) => void;
  readonly #all = new Map<PendingWaiter, Entry>();
  #arrivals = 0;
  /** Why nobody may wait any more. */
  #closed: LeaseError | undefined;

  /** @param left is called when somebody left the queue of a lease without a grant */
  constructor(clock: Clock, limits: Limits, left: (entry: Entry) => void) {
    this.#clock = clock;
    this.#limits = limits;
    this.#left = left;
  }

  /** Lets an Acquire wait; the second of one holder takes over the place of its first. */
  add(entry: Entry, pending: Pending & { readonly command: AcquireCommand }): void {
    if (this.#closed !== undefined) {
      pending.reject(this.#closed);
      return;
    }
    const { claim, priority, waitMs } = pending.command;
    const first = entry.waiters.find((other) => other.holder === claim.holder);
    if (first !== undefined) {
      const message = `Acquire ${entry.key}: a newer request of holder ${JSON.stringify(claim.holder)} took over its place in the queue`;
      this.#leave(entry, first);
      first.pending.reject(new LeaseError('REPLACED', message));
    }
    const limit = this.#limitReached(entry);
    if (limit !== undefined) {
      pending.reject(limit);
      return;
    }
    const order = first?.order ?? this.#arrivals++;
    const waiter: PendingWaiter = {
      claim,
      priority,
      order,
      caller: pending.caller,
      granting: false,
      timedOut: false,
      pending,
      cancelTimer: () => undefined,
    };
    waiter.cancelTimer = this.#clock.after(waitMs, () => {
      this.#timeOut(entry, waiter);
    });
    entry.enqueue(waiter);
    this.#all.set(waiter, entry);
    pending.caller.onGone(() => {
      this.#callerGone(entry, waiter);
    });
    if (pending.caller.gone) {
      this.#callerGone(entry, waiter);
    }
  }

  /** A change in flight grants this claim. */
  granting(entry: Entry, claim: Claim): PendingWaiter | undefined {
    const waiter = entry.waiters.find((other) => other === claim);
    if (waiter !== undefined) {
      waiter.granting = true;
    }
    return waiter;
  }

  /** The grant was committed: the waiter is no waiter any more. */
  granted(entry: Entry, waiter: PendingWaiter): void {
    waiter.cancelTimer();
    entry.dequeue(waiter);
    this.#all.delete(waiter);
  }

  /** The grant did not come about: the waiter keeps its place, unless its time or its caller is gone by now. */
  notGranted(entry: Entry, waiter: PendingWaiter): void {
    waiter.granting = false;
    if (this.#closed !== undefined) {
      this.#leave(entry, waiter);
      waiter.pending.reject(this.#closed);
    } else if (waiter.caller.gone) {
      this.#callerGone(entry, waiter);
    } else if (waiter.timedOut) {
      this.#timeOut(entry, waiter);
    }
  }

  /** Answers everybody who waits, or would from now on. */
  close(error: LeaseError): void {
    this.#closed = error;
    for (const [waiter, entry] of [...this.#all]) {
      if (!waiter.granting) {
        this.#leave(entry, waiter);
        waiter.pending.reject(error);
      }
    }
  }

  #limitReached(entry: Entry): LeaseError | undefined {
    if (entry.waiters.size >= this.#limits.waitersPerLeaseMax) {
      return limitExceeded(`waiters for lease ${entry.key}`, this.#limits.waitersPerLeaseMax);
    }
    return this.#all.size >= this.#limits.waitersMax ? limitExceeded('waiters', this.#limits.waitersMax) : undefined;
  }

  #timeOut(entry: Entry, waiter: PendingWaiter): void {
    waiter.timedOut = true;
    if (!waiter.granting) {
      this.#leave(entry, waiter);
      waiter.pending.resolve({ kind: 'busy', busy: busyAnswer(entry, this.#clock.monotonicMs(), true) });
      this.#left(entry);
    }
  }

  #callerGone(entry: Entry, waiter: PendingWaiter): void {
    if (!waiter.granting && this.#all.has(waiter)) {
      this.#leave(entry, waiter);
      waiter.pending.reject(new LeaseError('CALLER_GONE', `Acquire ${entry.key}: the caller is gone`));
      this.#left(entry);
    }
  }

  #leave(entry: Entry, waiter: PendingWaiter): void {
    waiter.cancelTimer();
    entry.dequeue(waiter);
    this.#all.delete(waiter);
  }
}
