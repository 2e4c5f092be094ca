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

  /** The pieces in which the next changes after a revision stand, as many as have at least `limit` of them. */
  after(revision: bigint, limit: number): Piece[] {
    const pieces: Piece[] = [];
    let found = 0;
    for (let index = this.#firstNotBefore(Number(revision) + 1); found < limit; index += 1) {
      const piece = this.#piece(index);
      if (piece === undefined) break;
      pieces.push(piece);
      found += Math.min(piece.count, Number(piece.last - revision));
    }
    return pieces;
  }

  /** The newest piece of those that can go so that at least `keep` changes stay, of the `piecesMax` oldest; `undefined`: none can. */
  surplus(keep: number, piecesMax: number): Piece | undefined {
    let index = -1;
    for (let left = this.#length; index + 1 < piecesMax; index += 1) {
      left -= this.#counts[index + 1] ?? left + 1;
      if (left < keep) break;
    }
    return this.#piece(index);
  }

  /** Forgets everything up to a revision. */
  forget(upTo: bigint): void {
    const index = this.#firstNotBefore(Number(upTo) + 1);
    this.#length -= this.#counts.slice(0, index).reduce((sum, count) => sum + count, 0);
    this.#lasts = this.#lasts.slice(index);
    this.#counts = this.#counts.slice(index);
  }

  #piece(index: number): Piece | undefined {
    const [last, count] = [this.#lasts[index], this.#counts[index]];
    return last === undefined || count === undefined ? undefined : { last: BigInt(last), count };
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
