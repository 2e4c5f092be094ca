import type { Entry } from './history.js';

/** What the holder of a tenure of gRPC may believe: that the lease is its own until then. */
interface Belief {
  readonly by: string;
  readonly lease: string;
  readonly token: bigint;
  untilMs: number;
  /** When it gave the lease up itself. */
  endedMs: number;
}

/**
 * What holders believe, each by what it has been told: that a lease is theirs for its duration, from the instant before the request
 * was sent that was acknowledged last.
 */
export class Beliefs {
  readonly #beliefs = new Map<bigint, Belief>();

  /** An acknowledgement arrived of a request that was sent at `sentMs`. */
  renewed(by: string, lease: string, token: bigint, untilMs: number): void {
    const belief = this.#beliefs.get(token) ?? { by, lease, token, untilMs, endedMs: Infinity };
    belief.untilMs = Math.max(belief.untilMs, untilMs);
    this.#beliefs.set(token, belief);
  }

  /** The holder is about to give the lease up. */
  ended(token: bigint, atMs: number): void {
    const belief = this.#beliefs.get(token);
    if (belief !== undefined) belief.endedMs = Math.min(belief.endedMs, atMs);
  }

  get size(): number {
    return this.#beliefs.size;
  }

  /**
   * Leases that somebody else was granted while their holder had reason to believe in them. A grant happened before its answer came: so
   * one whose answer came before the end of a belief was too early for certain.
   */
  betrayed(entries: readonly Entry[]): string[] {
    return entries.flatMap(({ lease, by, output, returnMs }) => {
      if (output.kind !== 'shown' || output.lease.state !== 'HELD' || output.lease.token !== output.lease.version) return [];
      const { token } = output.lease;
      return [...this.#beliefs.values()]
        .filter((belief) => belief.lease === lease && belief.token < token && returnMs < Math.min(belief.untilMs, belief.endedMs))
        .map((belief) => `${belief.by} believed in ${lease} (token ${belief.token}) when ${by} got it (token ${token})`);
    });
  }
}
