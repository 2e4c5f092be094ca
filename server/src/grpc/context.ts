import type { Clock, LeaseCoordinator, Limits } from '@leasehold/core';

/** What every handler works with. */
export interface HandlerContext {
  readonly engine: CoordinatorHolder;
  readonly clock: Clock;
  readonly log: FaultLog;
  readonly limits: Limits;
  readonly streamLimits: StreamLimits;
}

/** Bounds of the transport's streams. */
export interface StreamLimits {
  /** Open heartbeat streams. */
  readonly heartbeatStreamsMax: number;
  /** Leases on one heartbeat stream. */
  readonly handlesMax: number;
}

/** Where handlers find the coordinator, which is another one after the store has failed. */
export interface CoordinatorHolder {
  /** @throws {LeaseError} there is none to talk to: `STORE_UNAVAILABLE`, `DRAINING`. */
  current(): LeaseCoordinator;
}

/** Where faults of this server are logged. */
export interface FaultLog {
  error(fields: Readonly<Record<string, unknown>>, message: string): void;
}
