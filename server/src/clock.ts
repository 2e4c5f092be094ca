import type { Clock } from '@leasehold/core';

/** The longest delay a timer of Node takes; a longer one would fire at once. */
const timerDelayMsMax = 2 ** 31 - 1;

/** The machine's time. The one file of the server that reads a clock or sets a timer. */
export const systemClock: Clock = {
  monotonicMs: () => performance.now(),
  wallMs: () => Date.now(),
  after(delayMs, action) {
    const timer = setTimeout(action, Math.min(Math.max(delayMs, 0), timerDelayMsMax));
    return () => {
      clearTimeout(timer);
    };
  },
  soon(action) {
    // One immediate for all of a turn: a thousand streams that acknowledge in it cost one.
    if (soon.push(action) === 1) {
      setImmediate(runSoon);
    }
  },
};

let soon: (() => void)[] = [];

function runSoon(): void {
  const actions = soon;
  soon = [];
  for (const action of actions) {
    action();
  }
}

/** Resolves after `delayMs`. */
export function sleep(clock: Clock, delayMs: number): Promise<void> {
  return new Promise((resolve) => {
    clock.after(delayMs, resolve);
  });
}

/** Resolves as `work` does, or to `undefined` once `delayMs` have passed. */
export async function within<T>(clock: Clock, delayMs: number, work: Promise<T>): Promise<T | undefined> {
  let cancel: (() => void) | undefined;
  const timeout = new Promise<undefined>((resolve) => {
    cancel = clock.after(delayMs, () => {
      resolve(undefined);
    });
  });
  try {
    return await Promise.race([work, timeout]);
  } finally {
    cancel?.();
  }
}
