import { limitExceeded, type LeaseError } from '@leasehold/core';

/** A stream that the server may have to end. */
export interface OpenStream {
  /** Ends the stream in order: what was answered already is written first. */
  finish(error: unknown): void;
  /** Ends the stream at once: nothing that waits to be written is written any more. */
  abort(error: LeaseError): void;
}

/** The open streams of one kind, bounded. */
export class OpenStreams<T extends OpenStream> {
  readonly #streams = new Set<T>();
  readonly #what: string;
  readonly #max: number;

  constructor(what: string, max: number) {
    this.#what = what;
    this.#max = max;
  }

  get size(): number {
    return this.#streams.size;
  }

  /** Whether one more may open. @throws {LeaseError} `LIMIT_EXCEEDED` */
  check(): void {
    if (this.#streams.size >= this.#max) {
      throw limitExceeded(this.#what, this.#max);
    }
  }

  add(stream: T): void {
    this.#streams.add(stream);
  }

  delete(stream: T): void {
    this.#streams.delete(stream);
  }

  forEach(action: (stream: T) => void): void {
    // A copy: ending a stream removes it.
    [...this.#streams].forEach(action);
  }
}
