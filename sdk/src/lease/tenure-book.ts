import type { LeaseName, RenewRequest } from '../transport/transport.js';

interface Page {
  /** How many acquires and tenures of this name are under way here. */
  uses: number;
  /** The highest token that was released or lost. */
  over: bigint;
}

interface Leftover {
  readonly identity: RenewRequest;
  /** When the server has ended it by itself, on the monotonic clock. */
  readonly untilMs: number;
}

/**
 * What a client remembers of tenures that are over, for messages may overtake each other: a grant whose token is not higher than one
 * that was released or lost is an old one and is not believed.
 */
export class TenureBook {
  readonly #pages = new Map<string, Page>();
  /** Pages that are not in use, the one closed last at the end: a message that is late may still be about one of them. */
  readonly #closed = new Map<string, Page>();
  readonly #leftovers = new Map<string, Leftover>();
  #clearAt = clearAtMin;

  /** Something that concerns this name begins. */
  open(name: LeaseName): void {
    const key = keyOf(name);
    const page = this.#pages.get(key) ?? this.#closed.get(key) ?? { uses: 0, over: 0n };
    page.uses += 1;
    this.#closed.delete(key);
    this.#pages.set(key, page);
  }

  /** It ends. */
  close(name: LeaseName): void {
    const page = this.#pages.get(keyOf(name));
    if (page === undefined) return;
    page.uses -= 1;
    if (page.uses > 0) return;
    this.#pages.delete(keyOf(name));
    if (page.over > 0n) this.#closed.set(keyOf(name), page);
    const [oldest] = this.#closed.keys();
    if (this.#closed.size > closedMax && oldest !== undefined) this.#closed.delete(oldest);
  }

  /** A tenure was released or lost. */
  over(name: LeaseName, fencingToken: bigint): void {
    const page = this.#pages.get(keyOf(name));
    if (page !== undefined && fencingToken > page.over) page.over = fencingToken;
  }

  /** Whether a tenure of this token is known to be over. */
  isOver(name: LeaseName, fencingToken: bigint): boolean {
    const page = this.#pages.get(keyOf(name));
    return page !== undefined && fencingToken <= page.over;
  }

  /** A tenure is over here, but the server may count it as living until `untilMs`. */
  leave(identity: RenewRequest, untilMs: number, nowMs: number): void {
    // Those that are over are cleared away whenever there are twice as many as were left the last time.
    if (this.#leftovers.size >= this.#clearAt) {
      for (const [key, leftover] of this.#leftovers) {
        if (leftover.untilMs <= nowMs) this.#leftovers.delete(key);
      }
      this.#clearAt = Math.max(2 * this.#leftovers.size, clearAtMin);
    }
    this.#leftovers.set(leftoverKey(identity), { identity, untilMs });
  }

  /** What this holder has left behind on the server: it would find the lease busy with itself. */
  leftover(name: LeaseName, holder: string, nowMs: number): RenewRequest | undefined {
    const leftover = this.#leftovers.get(leftoverKey({ ...name, holder }));
    return leftover !== undefined && leftover.untilMs > nowMs ? leftover.identity : undefined;
  }

  /** The server has ended it. */
  settled({ namespace, name, holder, fencingToken }: RenewRequest): void {
    const key = leftoverKey({ namespace, name, holder });
    if (this.#leftovers.get(key)?.identity.fencingToken === fencingToken) this.#leftovers.delete(key);
  }
}

const clearAtMin = 100;

/** How many names a client remembers that it does not use. */
const closedMax = 10_000;

/** Neither part of a lease's name can contain a slash. */
function keyOf({ namespace, name }: LeaseName): string {
  return `${namespace}/${name}`;
}

function leftoverKey({ namespace, name, holder }: LeaseName & { holder: string }): string {
  return `${namespace}/${name}/${holder}`;
}
