import { Worker } from 'node:worker_threads';
import { type Clock, instantOf, threadMs } from '../clock.js';
import { invalidOption } from '../errors.js';
import { checkPositiveMs } from '../verbs.js';
import type { HeldLease } from './held-lease.js';
import { WatchdogCell } from './watchdog-cell.js';
import type { WatchdogThreadData } from './watchdog-thread.js';

/** What to do about an event loop that is blocked while this process holds a lease. */
export interface WatchdogOptions {
  /**
   * `warn`: one line on standard error, each time. `kill`: that, and SIGKILL to this process, for a leader that cannot stop its work
   * has to be stopped before somebody else begins it.
   */
  readonly onBlocked: 'warn' | 'kill';
  /**
   * For how long the loop may be blocked when a lease ends, in milliseconds: above 0, at most 60,000. A pause of the garbage collector
   * is to pass. Default: 100.
   */
  readonly toleranceMs?: number | undefined;
}

/** How long at most until the next look at the leases: renewals move their ends without a word. */
const lookMsMax = 250;

/**
 * A thread beside the event loop that notices when the loop is blocked past the end of a lease: `signal` cannot abort then, and no
 * timer runs.
 *
 * The loop promises to look at its leases a tolerance before the first of them ends, and keeps that by looking much more often. If
 * the promise is broken for longer than the tolerance, the lease has ended and the loop has not noticed.
 */
export class Watchdog {
  readonly #clock: Clock;
  readonly #toleranceMs: number;
  readonly #cell = new WatchdogCell();
  readonly #held = new Set<HeldLease>();
  readonly #thread: Worker;
  readonly #ended: Promise<void>;
  /** The lease that the promise is about. */
  #nearest: HeldLease | undefined;
  #cancelLook: () => void = () => undefined;
  #looksSoon = false;
  #closed = false;

  constructor({ onBlocked, toleranceMs = 100 }: WatchdogOptions, clock: Clock) {
    this.#clock = clock;
    this.#toleranceMs = toleranceMs;
    const workerData: WatchdogThreadData = { onBlocked, toleranceMs, buffer: this.#cell.buffer };
    // Nothing that this process was started with (loaders, profilers, hooks) belongs into the thread.
    this.#thread = new Worker(new URL('./watchdog-thread.js', import.meta.url), { workerData, execArgv: [], env: {} });
    this.#thread.unref();
    this.#ended = new Promise((resolve) => {
      this.#thread.on('exit', () => {
        resolve();
      });
    });
    this.#thread.on('error', (error) => {
      process.emitWarning(`The watchdog of a Leasehold client has ended, and watches no more: ${error.message}`);
    });
  }

  /** A lease is held from now on. */
  begun(lease: HeldLease): void {
    this.#held.add(lease);
    if (this.#nearest === undefined || this.#leftMs(lease) < this.#leftMs(this.#nearest)) this.#promise(lease);
  }

  /** It is over here. */
  ended(lease: HeldLease): void {
    this.#held.delete(lease);
    if (lease !== this.#nearest) return;
    // Its promise must not outlive it. Where many end at once, the next one is looked for once.
    this.#promise(undefined);
    if (this.#looksSoon) return;
    this.#looksSoon = true;
    queueMicrotask(() => {
      this.#looksSoon = false;
      this.#look();
    });
  }

  /** Ends the thread. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#cancelLook();
    this.#cell.close();
    // Else a process that waits for this alone would end before it.
    this.#thread.ref();
    await this.#ended;
  }

  #look(): void {
    const now = instantOf(this.#clock);
    let nearest: HeldLease | undefined;
    let leastMs = Infinity;
    for (const lease of this.#held) {
      const leftMs = lease.believedForMs(now);
      if (nearest === undefined || leftMs < leastMs) {
        nearest = lease;
        leastMs = leftMs;
      }
    }
    this.#promise(nearest);
  }

  /** Promises to look in time for this lease, and sees to it. */
  #promise(lease: HeldLease | undefined): void {
    this.#cancelLook();
    this.#nearest = lease;
    if (this.#closed) return;
    const nowMs = threadMs();
    if (lease === undefined) {
      this.#cell.promise(Infinity, nowMs, '');
      return;
    }
    const withinMs = Math.max(this.#leftMs(lease) - this.#toleranceMs, this.#toleranceMs / 4);
    this.#cell.promise(nowMs + withinMs, nowMs, `${lease.namespace}/${lease.name} (token ${lease.fencingToken})`);
    this.#cancelLook = this.#clock.after(Math.min(withinMs / 2, lookMsMax), () => {
      this.#look();
    });
  }

  #leftMs(lease: HeldLease): number {
    return lease.believedForMs(instantOf(this.#clock));
  }
}

/**
 * Checks the options.
 *
 * @throws {InvalidError}
 */
export function checkWatchdog({ onBlocked, toleranceMs = 1 }: WatchdogOptions): void {
  if (!['warn', 'kill'].includes(onBlocked)) throw invalidOption('watchdog.onBlocked', 'must be warn or kill', onBlocked);
  if (checkPositiveMs('watchdog.toleranceMs', toleranceMs) > 60_000) {
    throw invalidOption('watchdog.toleranceMs', 'must be at most 60,000 ms', toleranceMs);
  }
}
