import { type Clock, sleep } from './clock.js';
import { isRetryable, UnavailableError } from './errors.js';
import type { Call, Transport } from './transport/transport.js';

const backoffMsMin = 50;
const backoffMsMax = 1000;
const attemptMsMin = 1000;

/** How long to wait before the next attempt after `failures` in a row: 50 ms doubling up to 1 s (`maxMs`), half of it by chance. */
export function backoffMs(clock: Clock, failures: number, maxMs: number = backoffMsMax): number {
  const fullMs = Math.min(backoffMsMin * 2 ** Math.max(failures - 1, 0), maxMs);
  return fullMs * (0.5 + clock.random() / 2);
}

/**
 * The share of a call's time that one attempt gets. Where there is another server to ask, one that takes requests and does not answer
 * them must leave time for it. Where there is none, cutting an attempt short would only lose a slow answer.
 */
export function attemptShare({ canMove }: Pick<Transport, 'canMove'>): number {
  return canMove ? 0.5 : 1;
}

/** How a call is repeated. */
export interface Repetition {
  /** How much of the time that is left one attempt may take, above 0 and up to 1; never less than a second. Default: 1. */
  readonly share?: number;
  /** After which failures it is repeated at all. Default: all. */
  readonly only?: (error: UnavailableError) => boolean;
  /** Hears of each failure after which it is repeated. */
  readonly onFailure?: ((error: Error) => void) | undefined;
}

/**
 * Repeats a call that has no second effect for as long as no server can answer it, within its time.
 *
 * @param attempt makes the call once; it is given what is left of the time, or its share of that.
 * @throws {UnavailableError} the last failure, once there is no time for another attempt.
 */
export async function repeatWhileUnavailable<T>(
  clock: Clock,
  call: Call,
  attempt: (call: Call) => Promise<T>,
  { share = 1, only = () => true, onFailure }: Repetition = {},
): Promise<T> {
  const until = clock.monotonicMs() + call.timeoutMs;
  for (let failures = 1; ; failures += 1) {
    const leftMs = until - clock.monotonicMs();
    try {
      return await attempt({ timeoutMs: Math.min(Math.max(leftMs * share, attemptMsMin), leftMs), signal: call.signal });
    } catch (error) {
      if (!(error instanceof UnavailableError) || !isRetryable(error) || !only(error)) throw error;
      const delayMs = backoffMs(clock, failures);
      if (clock.monotonicMs() + delayMs >= until) throw error;
      onFailure?.(error);
      await sleep(clock, delayMs, call.signal);
    }
  }
}

/** Whether a server has refused a call because it is shutting down: then it has done nothing of it, and will not. */
export function isDraining(error: UnavailableError): boolean {
  return error.reason === 'DRAINING';
}
