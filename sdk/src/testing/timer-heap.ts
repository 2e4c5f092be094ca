/** A timer that is set. */
export interface Timer {
  readonly atMs: number;
  /** Breaks ties: what was set first runs first. */
  readonly order: number;
  readonly action: () => void;
  cancelled: boolean;
}

/** Timers by their instants: a binary heap, so that ten thousand cost little more than ten. */
export class TimerHeap {
  #heap: Timer[] = [];
  #cancelled = 0;

  /** How many are set. */
  get size(): number {
    return this.#heap.length - this.#cancelled;
  }

  add(timer: Timer): void {
    this.#heap.push(timer);
    this.#rise(this.#heap.length - 1);
  }

  /** Idempotent, also for a timer that was taken. */
  cancel(timer: Timer): void {
    if (timer.cancelled) return;
    timer.cancelled = true;
    this.#cancelled += 1;
    if (this.#cancelled > this.#heap.length / 2) this.#tidy();
  }

  /** The next one, which stays set. */
  peek(): Timer | undefined {
    while (this.#heap[0]?.cancelled === true) {
      this.#takeTop();
      this.#cancelled -= 1;
    }
    return this.#heap[0];
  }

  /** The next one, which is set no more. */
  take(): Timer | undefined {
    const timer = this.peek();
    if (timer !== undefined) {
      this.#takeTop();
      timer.cancelled = true;
    }
    return timer;
  }

  clear(): void {
    for (const timer of this.#heap) timer.cancelled = true;
    this.#heap = [];
    this.#cancelled = 0;
  }

  /** A sorted array is a heap. */
  #tidy(): void {
    this.#heap = this.#heap.filter(({ cancelled }) => !cancelled).sort((left, right) => (isBefore(left, right) ? -1 : 1));
    this.#cancelled = 0;
  }

  #takeTop(): void {
    const last = this.#heap.pop();
    if (last === undefined || this.#heap.length === 0) return;
    this.#heap[0] = last;
    this.#sink(0);
  }

  #rise(from: number): void {
    let index = from;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (!this.#swapIfBefore(index, parent)) return;
      index = parent;
    }
  }

  #sink(from: number): void {
    let index = from;
    for (;;) {
      const left = 2 * index + 1;
      const child = this.#isBefore(left + 1, left) ? left + 1 : left;
      if (!this.#swapIfBefore(child, index)) return;
      index = child;
    }
  }

  #swapIfBefore(lower: number, upper: number): boolean {
    const low = this.#heap[lower];
    const up = this.#heap[upper];
    if (low === undefined || up === undefined || !isBefore(low, up)) return false;
    this.#heap[lower] = up;
    this.#heap[upper] = low;
    return true;
  }

  #isBefore(left: number, right: number): boolean {
    const one = this.#heap[left];
    const other = this.#heap[right];
    return one !== undefined && other !== undefined && isBefore(one, other);
  }
}

function isBefore(left: Timer, right: Timer): boolean {
  return left.atMs < right.atMs || (left.atMs === right.atMs && left.order < right.order);
}
