import type { CommittedChange } from '../lease/change.js';
import type { LeaseRecord } from '../lease/record.js';

/**
 * The newest changes, in memory, for watches that are nearly up to date. Older ones come from the store. They are bounded by their count
 * and by what they weigh: a few thousand changes of a lease with the largest annotations would be gigabytes.
 */
export class RecentChanges {
  readonly #max: number;
  #changes: CommittedChange[] = [];
  /** What each of them replaced. */
  #before: (LeaseRecord | undefined)[] = [];
  /** Characters of what can be long in each of them. */
  #weights: number[] = [];
  #weight = 0;
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
    for (const change of changes) {
      const weight = weightOf(change);
      this.#weights.push(weight);
      this.#weight += weight;
    }
    // Cut in halves, so that the cost of a commit does not depend on how much is kept.
    if (this.#changes.length > 2 * this.#max || this.#weight > 2 * weightMax) {
      this.#cut();
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

  /** What the change of this revision replaced; `undefined`: nothing, or it is not kept. */
  replacedAt(revision: bigint): LeaseRecord | undefined {
    const index = this.#indexAfter(revision) - 1;
    return this.#changes[index]?.revision === revision ? this.#before[index] : undefined;
  }

  #cut(): void {
    let dropped = 0;
    for (const weight of this.#weights) {
      if (this.#changes.length - dropped <= this.#max && this.#weight <= weightMax) {
        break;
      }
      this.#weight -= weight;
      dropped += 1;
    }
    this.#floor = this.#changes[dropped - 1]?.revision ?? this.#floor;
    this.#changes = this.#changes.slice(dropped);
    this.#before = this.#before.slice(dropped);
    this.#weights = this.#weights.slice(dropped);
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

/** Half of what is kept at most. */
const weightMax = 64 * 1024 ** 2;

/** What a change keeps in memory by what callers write, roughly: changes of the same lease share most of it. */
function weightOf({ record, events }: CommittedChange): number {
  const lease = record ?? events.at(-1)?.lease;
  if (lease === undefined) {
    return 0;
  }
  let weight = lease.holder.length;
  for (const key of Object.keys(lease.annotations)) {
    weight += key.length + (lease.annotations[key]?.length ?? 0);
  }
  const { finalizers = [], ownerReferences = [], managedFields = [] } = lease.kubernetes ?? {};
  return weight + entryWeight * (finalizers.length + ownerReferences.length + managedFields.length);
}

/** Of an owner, a finalizer or a manager. */
const entryWeight = 300;
