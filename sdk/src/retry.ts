import { type Clock, sleep } from './clock.js';
import { isRetryable, UnavailableError } from './errors.js';
import type { Call } from './transport/transport.js';

const backoffMsMin = 50;
const backoffMsMax = 1000;

/** How long to wait before the next attempt after `failures` in a row: 50 ms doubling up to 1 s, half of it by chance. */
export function backoffMs(clock: Clock, failures: number): number {
  const fullMs = Math.min(backoffMsMin * 2 ** Math.max(failures - 1, 0), backoffMsMax);
  return fullMs * (0.5 + clock.random() / 2);
}

/**
 * Repeats a call that has no second effect for as long as no server can answer it, within its time.
 *
 * @param attempt makes the call once; it is given what is left of the time.
 * @throws {UnavailableError} the last failure, once there is no time for another attempt.
 */
export async function repeatWhileUnavailable<T>(clock: Clock, call: Call, attempt: (call: Call) => Promise<T>): Promise<T> {
  const until = clock.monotonicMs() + call.timeoutMs;
  for (let failures = 1; ; failures += 1) {
    try {
      return await attempt({ timeoutMs: until - clock.monotonicMs(), signal: call.signal });
    } catch (error) {
      if (!(error instanceof UnavailableError) || !isRetryable(error)) throw error;
      const delayMs = backoffMs(clock, failures);
      if (clock.monotonicMs() + delayMs >= until) throw error;
      await sleep(clock, delayMs, call.signal);
    }
  }
}
