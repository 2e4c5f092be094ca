import type { Clock } from '@leasehold/core';

/**
 * A clock that stands still until a test moves it. `soon` runs as a microtask; timers run in the order of their instants.
 */
export class FakeClock implements Clock {
  #nowMs = 1_000_000;
  #wallOffsetMs = 1_800_000_000_000;
  #timers: Timer[] = [];
  #order = 0;

  monotonicMs(): number {
    return this.#nowMs;
  }

  wallMs(): number {
    return this.#nowMs + this.#wallOffsetMs;
  }

  after(delayMs: number, action: () => void): () => void {
    // A real timer never fires before its delay has passed, as one would whose delay is lost in rounding.
    const atMs = this.#nowMs + (delayMs > 0 ? Math.max(delayMs, 0.001) : 0);
    const timer: Timer = { atMs, order: this.#order++, action };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  soon(action: () => void): void {
    void Promise.resolve().then(action);
  }

  /** How many timers are set. */
  get timers(): number {
    return this.#timers.length;
  }

  /** Lets time pass: every timer runs at its instant, and everything that follows from it before the next one. */
  async advance(ms: number): Promise<void> {
    const endMs = this.#nowMs + ms;
    await settle();
    for (let timer = this.#takeDue(endMs); timer !== undefined; timer = this.#takeDue(endMs)) {
      this.#nowMs = Math.max(this.#nowMs, timer.atMs);
      timer.action();
      await settle();
    }
    this.#nowMs = endMs;
  }

  /** Lets time pass while nothing runs, as when the process is stopped; then runs what is late. */
  async stall(ms: number): Promise<void> {
    this.#nowMs += ms;
    await this.advance(0);
  }

  /** Forgets every timer, as when the process that set them is killed. */
  kill(): void {
    this.#timers = [];
  }

  /** Sets the wall clock forward or back; nothing else notices. */
  jumpWall(ms: number): void {
    this.#wallOffsetMs += ms;
  }

  #takeDue(endMs: number): Timer | undefined {
    const due = this.#timers.filter((timer) => timer.atMs <= endMs);
    const first = due.sort((left, right) => left.atMs - right.atMs || left.order - right.order)[0];
    this.#timers = this.#timers.filter((timer) => timer !== first);
    return first;
  }
}

interface Timer {
  readonly atMs: number;
  readonly order: number;
  readonly action: () => void;
}

/** Lets everything run that needs no time. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 40; turn++) {
    await Promise.resolve();
  }
}
