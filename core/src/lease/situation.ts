import type { Claim } from './commands.js';
import type { Limits } from './limits.js';
import type { LeaseRecord } from './record.js';

/** Everything that a decision about one lease may rest on: the committed record, and what is live about it. */
export interface Standing {
  readonly record: LeaseRecord | undefined;
  /** Until when a held lease stays held, by the monotonic clock. Means nothing unless held. */
  readonly deadlineMs: number;
  /** Until when renewals of a held lease count: `Infinity`, or the end of a revoke's grace. */
  readonly renewableUntilMs: number;
  /** Before then nobody is granted: the end of a lock delay or of a reservation. */
  readonly freeAtMs: number;
  /** When an expired lease is garbage; `Infinity`: never. */
  readonly collectAtMs: number;
  /** Whether the holder has been heard since its grant. */
  readonly confirmed: boolean;
  readonly queue: Queue;
}

/** Who waits for the lease. */
export interface Queue {
  /** Who is next; nobody who is known to be gone. */
  first(): Claim | undefined;
  /** The waiter of this name. */
  named(holder: string): Claim | undefined;
}

/** When and by what means a decision is made. */
export interface Moment {
  /** The monotonic clock. */
  readonly nowMs: number;
  readonly wallMs: number;
  readonly limits: Limits;
  newUid(): string;
}

/**
 * What a lease's standing amounts to. Every command has a decided outcome in each of them.
 *
 * - `absent`: no record.
 * - `reserved`: deleted; the name is kept until its holder's deadline or lock delay has passed.
 * - `available`: can be granted; never held, or released.
 * - `expired`: can be granted; ran out.
 * - `delayed`: ended by expiry or revoke, in its lock delay.
 * - `held`: held, before its deadline.
 * - `overdue`: held, past its deadline; the sweeper is about to expire it, but a renewal still counts.
 * - `grace`: being revoked, renewals still count.
 * - `revoking`: being revoked, renewals have stopped.
 */
export type Situation = 'absent' | 'reserved' | 'available' | 'expired' | 'delayed' | 'held' | 'overdue' | 'grace' | 'revoking';

export function situationOf(standing: Standing, nowMs: number): Situation {
  const { record } = standing;
  if (record === undefined) {
    return 'absent';
  }
  if (record.reservedMs !== undefined) {
    return 'reserved';
  }
  if (record.state === 'HELD') {
    if (record.revoking !== undefined) {
      return nowMs < standing.renewableUntilMs ? 'grace' : 'revoking';
    }
    return nowMs < standing.deadlineMs ? 'held' : 'overdue';
  }
  if (nowMs < standing.freeAtMs) {
    return 'delayed';
  }
  return record.state === 'AVAILABLE' ? 'available' : 'expired';
}

/** Whether the deadline of a held lease has passed. */
export function isOverdue(standing: Standing, nowMs: number): boolean {
  return nowMs >= standing.deadlineMs;
}
