import { invalidOption } from '../errors.js';
import { safetyMargin } from '../lease/deadline.js';
import { checkPositiveMs } from '../verbs.js';

/** The three durations of an election. */
export interface ElectionTiming {
  /** How long the lease stays held after the last renewal, in milliseconds. Default: 15,000. */
  readonly leaseDurationMs: number;
  /**
   * The term's signal aborts this long after the send of the last acknowledged beat, in milliseconds; what is left of the lease is
   * the time to stop. Default: two thirds of `leaseDurationMs`.
   */
  readonly renewDeadlineMs: number;
  /** How often the lease is renewed, in milliseconds. Default: two fifteenths of `leaseDurationMs`. */
  readonly retryPeriodMs: number;
}

/** A beat is late by a fifth before it counts as missed. */
const jitterFactor = 1.2;

/**
 * Puts the defaults in and checks how the durations relate.
 *
 * @throws {InvalidError} with both values in its message.
 */
export function electionTiming(options: { readonly [K in keyof ElectionTiming]?: number | undefined }): ElectionTiming {
  const leaseDurationMs = checkPositiveMs('leaseDurationMs', options.leaseDurationMs ?? 15_000);
  const renewDeadlineMs = checkPositiveMs('renewDeadlineMs', options.renewDeadlineMs ?? (leaseDurationMs * 2) / 3);
  const retryPeriodMs = checkPositiveMs('retryPeriodMs', options.retryPeriodMs ?? (leaseDurationMs * 2) / 15);
  const usableMs = leaseDurationMs * (1 - safetyMargin);
  if (renewDeadlineMs > usableMs) {
    const rule = `must be at most ${usableMs} ms, that is leaseDurationMs (${leaseDurationMs}) less 2 %`;
    throw invalidOption('renewDeadlineMs', rule, renewDeadlineMs);
  }
  if (renewDeadlineMs <= retryPeriodMs * jitterFactor) {
    const rule = `must be longer than ${jitterFactor} × retryPeriodMs (${retryPeriodMs})`;
    throw invalidOption('renewDeadlineMs', rule, renewDeadlineMs);
  }
  return { leaseDurationMs, renewDeadlineMs, retryPeriodMs };
}
