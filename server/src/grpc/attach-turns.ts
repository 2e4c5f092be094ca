import { Fifo } from '@leasehold/core';

/** Who has attaches to ask for. */
export interface AttachAsker {
  /** How many it has yet to ask for. */
  readonly unasked: number;
  /** Asks for the next one, and calls `AttachTurns.done` once that has come out. */
  askNext(): void;
}

/**
 * Bounds the attaches that are under way on all streams together. When a server is lost, its holders come all at once, and each of their
 * attaches may be a command: what is asked for beyond the bound waits here, because commands beyond theirs are refused. The streams take
 * turns, so that one with few leases does not wait for one with many.
 */
export class AttachTurns {
  readonly #max: number;
  readonly #waiting = new Fifo<AttachAsker>();
  #underWay = 0;

  constructor(max: number) {
    this.#max = max;
  }

  /** Takes turns with the asker until it has no more to ask for. It must not be waiting already. */
  wait(asker: AttachAsker): void {
    this.#waiting.push(asker);
    this.#next();
  }

  /** An attach has come out. */
  done(): void {
    this.#underWay -= 1;
    this.#next();
  }

  #next(): void {
    while (this.#underWay < this.#max) {
      const asker = this.#waiting.shift();
      if (asker === undefined) return;
      if (asker.unasked > 0) {
        this.#underWay += 1;
        asker.askNext();
      }
      if (asker.unasked > 0) this.#waiting.push(asker);
    }
  }
}
