import TinyQueue from 'tinyqueue';

/** Things that want attention at an instant, earliest first. Adding and taking cost the logarithm of how many there are. */
export class Agenda<T> {
  readonly #heap = new TinyQueue<Item<T>>([], (left, right) => left.atMs - right.atMs);

  /** The earliest instant at which something wants attention; `Infinity` when nothing does. */
  get nextMs(): number {
    return this.#heap.peek()?.atMs ?? Infinity;
  }

  add(atMs: number, what: T): void {
    this.#heap.push({ atMs, what });
  }

  /** Takes the earliest thing whose instant has come. */
  takeDue(nowMs: number): Item<T> | undefined {
    const first = this.#heap.peek();
    return first !== undefined && first.atMs <= nowMs ? this.#heap.pop() : undefined;
  }
}

export interface Item<T> {
  readonly atMs: number;
  readonly what: T;
}
