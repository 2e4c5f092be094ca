/**
 * What a process says of itself: at some instant from `before` to `after` it looked at its lease, and the lease said "held".
 *
 * Both are nanoseconds of the machine's monotonic clock, which is one clock for all processes. A process may be stopped at any point of
 * its way, so that neither is the instant of the look; but the look lies between them, however long that took.
 */
export interface Claim {
  readonly token: bigint;
  readonly before: bigint;
  readonly after: bigint;
}

/** All that one process has claimed under one token. */
export interface Reign {
  readonly process: string;
  readonly token: bigint;
  /** It believed at this instant or before it. */
  readonly since: bigint;
  /** It believed at this instant or after it. */
  readonly until: bigint;
  readonly claims: number;
}

/** Two processes, or two tenures of one, that believed in the same lease at once. */
export interface Overlap {
  readonly older: Reign;
  readonly newer: Reign;
}

/** Hears what every process claims, and knows whether two of them have believed at once. */
export class Witness {
  readonly #reigns = new Map<string, Reign>();

  /** Takes down a claim. */
  hear(process: string, { token, before, after }: Claim): void {
    const key = `${process} ${token}`;
    const { since, until, claims } = this.#reigns.get(key) ?? { since: after, until: before, claims: 0 };
    this.#reigns.set(key, { process, token, since: min(since, after), until: max(until, before), claims: claims + 1 });
  }

  /** Every reign so far, by token. */
  get reigns(): readonly Reign[] {
    return [...this.#reigns.values()].sort((a, b) => Number(a.token - b.token));
  }

  /** The reign of the highest token. */
  get last(): Reign | undefined {
    return this.reigns.at(-1);
  }

  /** The first reign after the one of this token. */
  after(token: bigint): Reign | undefined {
    return this.reigns.find((reign) => reign.token > token);
  }

  /**
   * The overlaps that are proven: of two reigns the older believed, for sure, after the newer did; or two processes had the same token.
   * Belief that is lost does not come back, so that the older then believed at that instant of the newer as well.
   */
  overlaps(): readonly Overlap[] {
    const { reigns } = this;
    return reigns.flatMap((older, index) =>
      reigns
        .slice(index + 1)
        .filter((newer) => newer.token === older.token || older.until > newer.since)
        .map((newer) => ({ older, newer })),
    );
  }
}

function min(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}

function max(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}
