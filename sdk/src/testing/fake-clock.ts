import type { Clock as CoreClock } from '@leasehold/core';
import { type Clock, type Instant, instantOf } from '../clock.js';
import { TimerHeap, type Timer } from './timer-heap.js';

/** How the clock of a process differs from the one it is made from. */
export interface ProcessOptions {
  /** How much of its time passes in one unit of true time: 1.01 runs fast by one per cent. Default: that of the clock it is made from. */
  readonly rate?: number;
  /** How far its wall clock is ahead at first, in milliseconds. Default: 0. */
  readonly offsetMs?: number;
  /** Where its jitter comes from: numbers from 0 up to but not including 1. Default: that of the clock it is made from. */
  readonly random?: () => number;
}

/**
 * A clock that stands still until a test moves it: `advance` lets time pass, and every timer runs at its instant.
 *
 * One clock is the time of one process. `process` makes another one, with a rate and a wall clock of its own, that shares the true
 * time of the first: `advance` on either moves both, while `pause`, `kill`, `suspend` and `jumpWall` concern one process alone.
 */
export class FakeClock implements Clock, CoreClock {
  readonly #time: TrueTime;
  readonly #rate: number;
  readonly #random: () => number;
  readonly #timers = new TimerHeap();
  /** What arrived while the process was paused. */
  #late: (() => void)[] = [];
  #state: 'running' | 'paused' | 'killed' = 'running';
  /** The monotonic clock at the true instant 0, as if it had run all along. */
  #zeroMs: number;
  /** It never goes back, whatever the rounding. */
  #floorMs = -Infinity;
  /** How far boot time is ahead of it. */
  #suspendedMs: number;
  /** The true instant at which it was stopped. */
  #stoppedAtMs: number | undefined;
  #wallOffsetMs: number;

  /** The first clock of a test, of rate 1 and without jitter unless told otherwise; `process` makes the others. */
  constructor({ rate = 1, offsetMs = 0, random = (): number => 0 }: ProcessOptions = {}, beside?: FakeClock) {
    this.#rate = rate;
    this.#random = random;
    this.#time = beside === undefined ? { nowMs: 0, timersSet: 0, clocks: new Set() } : beside.#time;
    const { monotonicMs, bootMs, wallMs } = beside === undefined ? beginning : instantOf(beside);
    this.#zeroMs = monotonicMs - this.#time.nowMs * rate;
    this.#suspendedMs = bootMs - monotonicMs;
    this.#wallOffsetMs = wallMs - bootMs + offsetMs;
    this.#time.clocks.add(this);
  }

  monotonicMs(): number {
    return Math.max(this.#zeroMs + (this.#stoppedAtMs ?? this.#time.nowMs) * this.#rate, this.#floorMs);
  }

  bootMs(): number {
    return this.monotonicMs() + this.#suspendedMs + this.#stoppedForMs();
  }

  wallMs(): number {
    return this.bootMs() + this.#wallOffsetMs;
  }

  after(delayMs: number, action: () => void): () => void {
    if (this.#state === 'killed') return () => undefined;
    // A real timer never fires before its delay has passed, as one would whose delay is lost in rounding.
    const atMs = this.monotonicMs() + (delayMs > 0 ? Math.max(delayMs, 0.001) : 0);
    const timer: Timer = { atMs, order: this.#time.timersSet++, action, cancelled: false };
    this.#timers.add(timer);
    return () => {
      this.#timers.cancel(timer);
    };
  }

  /** Calls `action` in a microtask; in a process that is paused by then, when it is resumed. */
  soon(action: () => void): void {
    queueMicrotask(() => {
      if (this.#state === 'running') action();
      else if (this.#state === 'paused') this.#late.push(action);
    });
  }

  random(): number {
    return this.#random();
  }

  /** How many timers this process has set. */
  get timers(): number {
    return this.#timers.size;
  }

  /** Whether this process runs: it is neither paused nor killed. */
  get running(): boolean {
    return this.#state === 'running';
  }

  /** The clock of another process, which shares the true time of this one. */
  process(options: ProcessOptions = {}): FakeClock {
    return new FakeClock({ rate: this.#rate, random: this.#random, ...options }, this);
  }

  /**
   * Lets so much true time pass: every timer of every process runs at its instant, and everything that follows from it before the
   * next one. That takes turns of the event loop: what rejects meanwhile counts as unhandled unless it is caught already.
   */
  async advance(ms: number): Promise<void> {
    const endMs = this.#time.nowMs + ms;
    await settle();
    while (await this.#stepUntil(endMs));
  }

  /**
   * Lets true time pass until the next timer of any process, runs it and everything that follows from it.
   *
   * @returns whether there was one within so much time; otherwise that has passed.
   */
  async step(withinMs: number): Promise<boolean> {
    await settle();
    return this.#stepUntil(this.#time.nowMs + withinMs);
  }

  /** Stops this process, as SIGSTOP does: its clocks go on, but its timers and whatever reaches it wait for `resume`. */
  pause(): void {
    if (this.#state === 'running') this.#state = 'paused';
  }

  /** Suspends the machine of this process: as `pause`, and the monotonic clock stands still, but not boot time and the wall clock. */
  suspend(): void {
    this.pause();
    if (this.#state === 'paused') this.#stoppedAtMs ??= this.#time.nowMs;
  }

  /**
   * Lets a paused or suspended process go on. What reached it meanwhile arrives now, before anything that takes a turn; timers that
   * are late run when time is next moved, be it by `advance(0)`.
   */
  resume(): void {
    if (this.#state !== 'paused') return;
    const stoppedForMs = this.#stoppedForMs();
    this.#zeroMs -= stoppedForMs;
    this.#suspendedMs += stoppedForMs;
    this.#stoppedAtMs = undefined;
    this.#state = 'running';
    for (const action of this.#late.splice(0)) this.soon(action);
  }

  /** Pauses this process for so much true time, while others run. */
  async stall(ms: number): Promise<void> {
    this.pause();
    await this.advance(ms);
    this.resume();
    await this.advance(0);
  }

  /** Ends this process for good, as SIGKILL does: no timer of it runs any more, and nothing reaches it. */
  kill(): void {
    this.#state = 'killed';
    this.#timers.clear();
    this.#late = [];
    this.#time.clocks.delete(this);
  }

  /** Sets the wall clock forward or back; nothing else notices. */
  jumpWall(ms: number): void {
    this.#wallOffsetMs += ms;
  }

  async #stepUntil(endMs: number): Promise<boolean> {
    const clock = this.#nextUntil(endMs);
    if (clock === undefined) {
      this.#time.nowMs = Math.max(this.#time.nowMs, endMs);
      return false;
    }
    clock.#runNext();
    await settle();
    return true;
  }

  /** The clock whose timer is the next one, if that is due by then. */
  #nextUntil(endMs: number): FakeClock | undefined {
    let first: FakeClock | undefined;
    let firstMs = endMs;
    for (const clock of this.#time.clocks) {
      const dueMs = clock.#dueMs();
      if (dueMs < firstMs || (dueMs === firstMs && (first === undefined || clock.#order() < first.#order()))) {
        first = clock;
        firstMs = dueMs;
      }
    }
    return first;
  }

  /** For how long the monotonic clock stands still by now. */
  #stoppedForMs(): number {
    return this.#stoppedAtMs === undefined ? 0 : (this.#time.nowMs - this.#stoppedAtMs) * this.#rate;
  }

  /** The true instant of the next timer. */
  #dueMs(): number {
    const timer = this.#state === 'running' ? this.#timers.peek() : undefined;
    return timer === undefined ? Infinity : Math.max((timer.atMs - this.#zeroMs) / this.#rate, this.#time.nowMs);
  }

  #order(): number {
    return this.#timers.peek()?.order ?? Infinity;
  }

  #runNext(): void {
    const dueMs = this.#dueMs();
    const timer = this.#timers.take();
    if (timer === undefined) return;
    this.#time.nowMs = dueMs;
    this.#floorMs = Math.max(this.#floorMs, timer.atMs);
    timer.action();
  }
}

/** What a clock shows at first. */
const beginning: Instant = { monotonicMs: 1_000_000, bootMs: 1_000_000, wallMs: 1_800_001_000_000 };

/** What the clocks of several processes share. */
interface TrueTime {
  nowMs: number;
  timersSet: number;
  readonly clocks: Set<FakeClock>;
}

/** As it was before a test runner put a fake one in its place. */
const nextTurn = setImmediate;

/** How often a turn of the event loop is waited for: code may put things off by a turn itself. */
const turns = 2;

/** Lets everything run that needs no time. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < turns; turn += 1) {
    await new Promise<void>((resolve) => {
      nextTurn(resolve);
    });
  }
}
