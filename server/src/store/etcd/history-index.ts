import type { Piece } from './keys.js';

/** Which changes the history holds, without what they are: in which pieces they stand, oldest first. */
export class HistoryIndex {
  /** Revisions are microseconds of this century, which a double holds. A million of them are 16 MB so. */
  #lasts: number[] = [];
  #counts: number[] = [];
  #length = 0;

  /** How many changes there are. */
  get length(): number {
    return this.#length;
  }

  add({ last, count }: Piece): void {
    this.#lasts.push(Number(last));
    this.#counts.push(count);
    this.#length += count;
  }

  /** Whether a change has this revision. */
  has(revision: bigint): boolean {
    const wanted = Number(revision);
    const index = this.#firstNotBefore(wanted);
    const last = this.#lasts[index];
    return last !== undefined && wanted > last - (this.#counts[index] ?? 0);
  }

  /** The newest piece of those that can go so that at least `keep` changes stay; `undefined`: none can. */
  surplus(keep: number): Piece | undefined {
    let index = -1;
    for (let left = this.#length; ; index += 1) {
      left -= this.#counts[index + 1] ?? left + 1;
      if (left < keep) break;
    }
    const [last, count] = [this.#lasts[index], this.#counts[index]];
    return last === undefined || count === undefined ? undefined : { last: BigInt(last), count };
  }

  /** Forgets everything up to a revision. */
  forget(upTo: bigint): void {
    const index = this.#firstNotBefore(Number(upTo) + 1);
    this.#length -= this.#counts.slice(0, index).reduce((sum, count) => sum + count, 0);
    this.#lasts = this.#lasts.slice(index);
    this.#counts = this.#counts.slice(index);
  }

  #firstNotBefore(revision: number): number {
    let [low, high] = [0, this.#lasts.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#lasts[middle] ?? 0) < revision) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
