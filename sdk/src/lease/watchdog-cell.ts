/** Places in the shared memory: 64-bit integers first, then the bytes of a text. */
const lookByAt = 0;
const lookedAt = 1;
const lengthAt = 2;
const headBytes = 3 * 8;
const textBytesMax = 512;

const never = 2n ** 62n;
const closed = -1n;

/** What a client and its watchdog share: by when the client's thread has promised to look at its leases again. Instants: `threadMs`. */
export class WatchdogCell {
  readonly buffer: SharedArrayBuffer;
  readonly #cells: BigInt64Array;
  readonly #text: Uint8Array;

  /** @param buffer of the cell at the other end; a new one by default, which has promised nothing. */
  constructor(buffer?: SharedArrayBuffer) {
    this.buffer = buffer ?? new SharedArrayBuffer(headBytes + textBytesMax);
    this.#cells = new BigInt64Array(this.buffer, 0, headBytes / 8);
    this.#text = new Uint8Array(this.buffer, headBytes);
    if (buffer === undefined) this.#cells[lookByAt] = never;
  }

  /** Promises a look. Infinity: there is nothing to look at. An earlier one than before wakes the watchdog. */
  promise(lookByMs: number, nowMs: number, lease: string): void {
    const lookBy = lookByMs === Infinity ? never : toMicros(lookByMs);
    this.#cells[lengthAt] = BigInt(new TextEncoder().encodeInto(lease, this.#text).written);
    Atomics.store(this.#cells, lookedAt, toMicros(nowMs));
    const before = Atomics.exchange(this.#cells, lookByAt, lookBy);
    if (lookBy < before) Atomics.notify(this.#cells, lookByAt);
  }

  /** Tells the watchdog to end. */
  close(): void {
    Atomics.store(this.#cells, lookByAt, closed);
    Atomics.notify(this.#cells, lookByAt);
  }

  /** The promise that stands; `undefined` once it is closed. */
  get lookByMs(): number | undefined {
    const lookBy = Atomics.load(this.#cells, lookByAt);
    if (lookBy === closed) return undefined;
    return lookBy === never ? Infinity : toMs(lookBy);
  }

  /** When the client's thread looked last. */
  get lookedAtMs(): number {
    return toMs(Atomics.load(this.#cells, lookedAt));
  }

  /** The lease that the promise is about. Read it only while the other thread is known to be blocked. */
  get lease(): string {
    // A decoder takes no shared memory.
    return new TextDecoder().decode(this.#text.slice(0, Number(this.#cells[lengthAt])));
  }

  /** Blocks this thread for `ms`, or until another promise than `lookByMs` is made or found. */
  sleep(lookByMs: number, ms: number): void {
    const expected = lookByMs === Infinity ? never : toMicros(lookByMs);
    Atomics.wait(this.#cells, lookByAt, expected, ms);
  }
}

function toMicros(ms: number): bigint {
  return BigInt(Math.round(ms * 1000));
}

function toMs(micros: bigint): number {
  return Number(micros) / 1000;
}
