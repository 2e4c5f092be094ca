import type { Entry } from './entry.js';
import { Fifo } from './fifo.js';
import type { Pending } from './pending.js';

/**
 * Commands that wait for the outcome of a change of their lease, each lease's in the order of arrival. However many there are, an outcome
 * costs only as many as can be decided after it.
 */
export class BlockedCommands {
  readonly #entries = new Set<Entry>();
  /** Leases whose outcome is known, so that their commands can be decided. */
  #settled = new Set<Entry>();
  #count = 0;

  get count(): number {
    return this.#count;
  }

  get hasSettled(): boolean {
    return this.#settled.size > 0;
  }

  add(entry: Entry, pending: Pending): void {
    entry.blocked ??= new Fifo();
    entry.blocked.push(pending);
    this.#entries.add(entry);
    this.#count++;
  }

  /** The outcome is known. Returns whether anything waited for it. */
  settle(entry: Entry): boolean {
    if (entry.blocked === undefined) {
      return false;
    }
    this.#settled.add(entry);
    return true;
  }

  takeSettled(): ReadonlySet<Entry> {
    const settled = this.#settled;
    this.#settled = new Set();
    return settled;
  }

  /** Hands over a lease's commands as long as there is room and no change of it is in flight; the rest stays, in its order. */
  handOver(entry: Entry, hasRoom: () => boolean, take: (pending: Pending) => void): void {
    const { blocked } = entry;
    if (blocked === undefined) {
      return;
    }
    entry.blocked = undefined;
    this.#entries.delete(entry);
    this.#count -= blocked.length;
    while (entry.inFlight === undefined && hasRoom()) {
      const pending = blocked.shift();
      if (pending === undefined) {
        return;
      }
      take(pending);
    }
    this.#keep(entry, blocked);
  }

  /** Takes everything that waits. */
  takeAll(): Pending[] {
    const all = [...this.#entries].flatMap((entry) => entry.blocked?.takeAll() ?? []);
    this.#entries.clear();
    this.#settled.clear();
    this.#count = 0;
    return all;
  }

  /** What was not handed over stays, behind what has been put off again meanwhile. */
  #keep(entry: Entry, rest: Fifo<Pending>): void {
    if (rest.length === 0) {
      return;
    }
    if (entry.inFlight === undefined) {
      this.#settled.add(entry);
    }
    this.#count += rest.length;
    rest.putBack(entry.blocked?.takeAll() ?? []);
    entry.blocked = rest;
    this.#entries.add(entry);
  }
}
