/** What the loop of a watchdog sees and does. */
export interface Watch {
  /** For how long a promise may be broken, in milliseconds. */
  readonly toleranceMs: number;
  /** The instant by which the other thread has promised to look; Infinity: never; `undefined`: the watch is over. */
  lookByMs(): number | undefined;
  nowMs(): number;
  /** Waits for `ms`, or for less where the promise is not, or no more, `lookByMs`. */
  sleep(lookByMs: number, ms: number): void;
  /** The promise was broken. */
  bite(): void;
}

/**
 * Watches until it is over, and bites once for each promise that is broken.
 *
 * A broken promise is counted only for as long as this thread has run itself: a process that was stopped, and goes on, has the whole
 * tolerance to come round.
 */
export function keepWatch(watch: Watch): void {
  const { toleranceMs } = watch;
  const stepMs = Math.max(toleranceMs / 4, 1);
  let promised: number | undefined;
  let overdueMs = 0;
  for (let lookBy = watch.lookByMs(); lookBy !== undefined; lookBy = watch.lookByMs()) {
    if (lookBy !== promised) overdueMs = 0;
    promised = lookBy;
    const leftMs = lookBy - watch.nowMs();
    if (leftMs > 0) {
      watch.sleep(lookBy, leftMs);
      continue;
    }
    watch.sleep(lookBy, stepMs);
    overdueMs += stepMs;
    if (overdueMs >= toleranceMs && watch.lookByMs() === lookBy) {
      watch.bite();
      overdueMs = -Infinity;
    }
  }
}
