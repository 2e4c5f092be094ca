import type { Claim } from './commands.js';
import type { Limits } from './limits.js';
import { isHeld, type LeaseRecord } from './record.js';

/** Everything that a decision about one lease may rest on: the committed record, and what is live about it. */
export interface Standing {
  readonly record: LeaseRecord | undefined;
  /** Until when a held lease stays held, by the monotonic clock. Means nothing unless held, and kept by this server. */
  readonly deadlineMs: number;
  /** Whether another server that lives keeps it by heartbeats: then it alone knows the deadline. */
  readonly keptElsewhere: boolean;
  /** Until when renewals of a held lease count: `Infinity`, or the end of a revoke's grace. */
  readonly renewableUntilMs: number;
  /** Before then nobody is granted: the end of a lock delay or of a reservation. */
  readonly freeAtMs: number;
  /** When an expired lease is garbage; `Infinity`: never. */
  readonly collectAtMs: number;
  /** Whether the holder has been heard since its grant. */
  readonly confirmed: boolean;
  readonly queue: Queue;
  /** The highest priority of those who wait on this server; `undefined`: nobody does. */
  readonly priorityHere: number | undefined;
}

/** Who waits for the lease on this server. */
export interface Queue {
  /** Who is next; nobody who is known to be gone, and nobody as long as those who wait elsewhere come first. */
  first(): Claim | undefined;
  /** Whether somebody who waits on another server comes first. */
  readonly othersFirst: boolean;
  /** The waiter of this name. */
  named(holder: string): Claim | undefined;
}

/** When and by what means a decision is made. */
export interface Moment {
  /** The monotonic clock. */
  readonly nowMs: number;
  readonly wallMs: number;
  readonly limits: Limits;
  readonly sessions: Sessions;
  newUid(): string;
}

/** The servers that share the leases, each by its session. */
export interface Sessions {
  /** That of this server; empty: it shares them with nobody. */
  readonly own: string;
  /** Whether a server goes on. */
  isLive(session: string): boolean;
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
    return isOverdue(standing, nowMs) ? 'overdue' : 'held';
  }
  if (nowMs < standing.freeAtMs) {
    return 'delayed';
  }
  return record.state === 'AVAILABLE' ? 'available' : 'expired';
}

/** Whether the deadline of a held lease is known to have passed. */
export function isOverdue(standing: Standing, nowMs: number): boolean {
  return !standing.keptElsewhere && nowMs >= standing.deadlineMs;
}

/** How long the lease cannot be granted if nothing more happens: until the deadline, or the end of a lock delay or reservation. */
export function inTheWayMs(standing: Standing, nowMs: number): number {
  const { record } = standing;
  if (!isHeld(record)) return Math.max(0, standing.freeAtMs - nowMs);
  return standing.keptElsewhere ? record.durationMs : Math.max(0, standing.deadlineMs - nowMs);
}
