import type { Instant } from '../clock.js';

/**
 * The arithmetic of a holder's own deadline: when it must stop believing, so that it does before the server can give the lease away.
 *
 * The server counts a renewal from when it has read it, which is later than when it was sent. So a deadline that is counted from the
 * instant before the send is the earlier one, whatever the network does in between. Everything here is pure.
 */

/** The part of a duration that is not used, for clocks of different rates. */
export const safetyMargin = 0.02;

/** How far the wall clock may run ahead of the other two before the machine is taken to have been stopped unnoticed. */
const wallJumpMsMax = 1000;

/** What a holder believes in: the last renewal that was acknowledged in time. */
export interface Belief {
  /** Read before the renewal was sent. */
  readonly sentAt: Instant;
  /** The duration that its acknowledgement granted, in milliseconds. */
  readonly durationMs: number;
}

/**
 * Time between two moments by whichever of the two clocks saw more of it: the monotonic clock stands still while the machine is
 * suspended, and boot time is coarse.
 */
export function elapsedMs(from: Instant, to: Instant): number {
  return Math.max(to.monotonicMs - from.monotonicMs, to.bootMs - from.bootMs, 0);
}

/**
 * How much longer the holder may believe, in milliseconds; 0 or less: no more.
 *
 * @param limitMs a limit of the holder's own, counted from the send as well, to have time left for stopping; Infinity: none.
 */
export function remainingMs(belief: Belief, now: Instant, limitMs: number): number {
  const allowedMs = Math.min(belief.durationMs * (1 - safetyMargin), limitMs);
  return allowedMs - elapsedMs(belief.sentAt, now);
}

/**
 * Whether real time may have passed that neither clock saw, as when a virtual machine is paused: the wall clock went further ahead
 * than both since the send. Only a renewal that is sent after the jump clears it.
 */
export function isSuspect(belief: Belief, now: Instant): boolean {
  return now.wallMs - belief.sentAt.wallMs - elapsedMs(belief.sentAt, now) > wallJumpMsMax;
}

/**
 * What to believe after an acknowledgement. The old deadline is looked at first: once it has passed, the lease is lost for good, for
 * somebody may have been told that it is.
 *
 * @param believed what was believed so far; `undefined` after a grant that came after waiting, which counts from nothing.
 * @returns `undefined` when nothing can be believed: the old deadline has passed, or, without one, the new one has already.
 */
export function afterRenewal(believed: Belief | undefined, renewal: Belief, now: Instant, limitMs: number): Belief | undefined {
  if (believed !== undefined && remainingMs(believed, now, limitMs) <= 0) return undefined;
  const renewedMs = remainingMs(renewal, now, limitMs);
  if (believed === undefined) return renewedMs > 0 ? renewal : undefined;
  // An acknowledgement that was overtaken by a later one takes nothing back.
  return renewedMs >= remainingMs(believed, now, limitMs) ? renewal : believed;
}
