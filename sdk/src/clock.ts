import { uptime } from 'node:os';

/**
 * Time and chance, injected everywhere: nothing else in this package reads a clock, sets a timer or rolls a die.
 */
export interface Clock {
  /** Milliseconds, with fractions, since some fixed instant. Never jumps, but stands still while the machine is suspended. */
  monotonicMs(): number;
  /** Milliseconds since the machine was started, suspension included. May be coarse: 10 ms on Linux. */
  bootMs(): number;
  /** Milliseconds since 1970, as the machine believes. May jump either way. */
  wallMs(): number;
  /** Calls `action` once, `delayMs` from now or later. Returns what cancels it. */
  after(delayMs: number, action: () => void): () => void;
  /** A number from 0 up to but not including 1, for jitter. */
  random(): number;
}

/** One moment, read from all three clocks. */
export interface Instant {
  readonly monotonicMs: number;
  readonly bootMs: number;
  readonly wallMs: number;
}

/** Reads all three clocks. */
export function instantOf(clock: Clock): Instant {
  return { monotonicMs: clock.monotonicMs(), bootMs: clock.bootMs(), wallMs: clock.wallMs() };
}

/** The longest delay that a timer of Node takes; a longer one would fire at once. */
const timerMsMax = 2 ** 31 - 1;

/** The clocks of this machine. */
export const systemClock: Clock = {
  monotonicMs: () => performance.now(),
  bootMs: () => uptime() * 1000,
  wallMs: () => Date.now(),
  after: (delayMs, action) => {
    const timer = setTimeout(action, Math.min(Math.max(Math.ceil(delayMs), 0), timerMsMax));
    return () => {
      clearTimeout(timer);
    };
  },
  random: () => Math.random(),
};

/** Milliseconds on a clock that every thread of this process reads alike; `performance.now` counts from the start of each thread. */
export function threadMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

/**
 * Waits.
 *
 * @returns a promise that resolves after `delayMs`, and rejects with the signal's reason once that is aborted.
 */
export function sleep(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) {
      reject(abortReason(signal));
      return;
    }
    const onAbort = (): void => {
      cancel();
      if (signal !== undefined) reject(abortReason(signal));
    };
    const cancel = clock.after(delayMs, () => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    });
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}

/**
 * Waits for a promise, but not for ever.
 *
 * @param onTimeout makes the error to reject with after `timeoutMs`. An aborted signal rejects with its reason.
 */
export function within<T>(clock: Clock, promise: Promise<T>, { timeoutMs, signal, onTimeout }: TimeLimit): Promise<T> {
  // By hand: AbortSignal.any would leave something behind on a signal that lives long, each time.
  return new Promise((resolve, reject) => {
    const end = (settle: () => void): void => {
      cancel();
      signal?.removeEventListener('abort', onAbort);
      settle();
    };
    const onAbort = (): void => {
      end(() => {
        if (signal !== undefined) reject(abortReason(signal));
      });
    };
    const cancel = clock.after(timeoutMs, () => {
      end(() => {
        reject(onTimeout());
      });
    });
    promise.then(
      (value) => {
        end(() => {
          resolve(value);
        });
      },
      (error: unknown) => {
        end(() => {
          // Whatever it is: the caller's own.
          // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors
          reject(error);
        });
      },
    );
    if (signal?.aborted === true) onAbort();
    else signal?.addEventListener('abort', onAbort, { once: true });
  });
}

/** How long to wait for something, and what it means if it does not come. */
export interface TimeLimit {
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
  readonly onTimeout: () => Error;
}

/** Why a signal was aborted, as an error: callers may abort with anything. */
export function abortReason(signal: AbortSignal): Error {
  return signal.reason instanceof Error ? signal.reason : new Error('Aborted', { cause: signal.reason });
}
