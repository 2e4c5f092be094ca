import type { CommittedChange } from '../lease/change.js';
import type { LeaseRecord } from '../lease/record.js';

/** The newest changes, in memory, for watches that are nearly up to date. Older ones come from the store. */
export class RecentChanges {
  readonly #max: number;
  #changes: CommittedChange[] = [];
  /** What each of them replaced. */
  #before: (LeaseRecord | undefined)[] = [];
  /** The revision before the first change kept. */
  #floor: bigint;

  constructor(max: number, revision: bigint) {
    this.#max = max;
    this.#floor = revision;
  }

  /** `before`: what each of the changes replaced. */
  add(changes: readonly CommittedChange[], before: readonly (LeaseRecord | undefined)[]): void {
    this.#changes.push(...changes);
    this.#before.push(...before);
    // Cut in halves, so that the cost of a commit does not depend on how much is kept.
    if (this.#changes.length > 2 * this.#max) {
      const dropped = this.#changes.length - this.#max;
      this.#floor = this.#changes[dropped - 1]?.revision ?? this.#floor;
      this.#changes = this.#changes.slice(dropped);
      this.#before = this.#before.slice(dropped);
    }
  }

  /** Whether every change after this revision is here. */
  reachesBackTo(revision: bigint): boolean {
    return revision >= this.#floor;
  }

  /** Whether this is the revision of a change kept, or the one before them. */
  knows(revision: bigint): boolean {
    return revision === this.#floor || this.#changes[this.#indexAfter(revision) - 1]?.revision === revision;
  }

  /** Changes after a revision, oldest first, at most `limit`. */
  after(revision: bigint, limit: number): readonly CommittedChange[] {
    const start = this.#indexAfter(revision);
    return this.#changes.slice(start, start + limit);
  }

  /** Calls `take` for every change after a revision, oldest first, with what it replaced. */
  forEachAfter(revision: bigint, take: (change: CommittedChange, before: LeaseRecord | undefined) => void): void {
    const start = this.#indexAfter(revision);
    this.#changes.slice(start).forEach((change, index) => {
      take(change, this.#before[start + index]);
    });
  }

  #indexAfter(revision: bigint): number {
    let low = 0;
    let high = this.#changes.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#changes[middle]?.revision ?? revision) <= revision) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low;
  }
}
