/**
 * A lease as the server told it. Everything is durable and versioned by `resourceVersion`, except `remainingMs`, which is live.
 */
export interface Lease {
  /** Part of the lease's identity: the same name in another namespace is another lease. */
  readonly namespace: string;
  /** Unique within the namespace. */
  readonly name: string;
  /** Random identity of this record; a lease that is deleted and created again has another one. */
  readonly uid: string;
  /** Whether somebody holds it. */
  readonly state: LeaseState;
  /** Who holds the lease; of an expired one, who held it last; else empty. */
  readonly holder: string;
  /** How long the lease stays held after the last renewal that the server saw, in milliseconds. */
  readonly durationMs: number;
  /** The number that fences the last tenure: strictly increasing for each name over its whole history. 0 when never held. */
  readonly fencingToken: bigint;
  /** The revision that last changed this record. */
  readonly resourceVersion: bigint;
  /** How often the holder changed. */
  readonly transitions: number;
  /** When the record was created, by the server's wall clock. For people: no decision rests on it. */
  readonly createTime: Date | undefined;
  /** When the last tenure began, by the server's wall clock. */
  readonly acquireTime: Date | undefined;
  /** When the last recorded renewal arrived, by the server's wall clock. Heartbeats are recorded 10 s apart by default. */
  readonly renewTime: Date | undefined;
  /** How much longer the lease stays held without another renewal, in milliseconds. `undefined` unless held. */
  readonly remainingMs: number | undefined;
  /** What selectors match on. */
  readonly labels: Readonly<Record<string, string>>;
  /** Data for people and programs, such as the holder's address. */
  readonly annotations: Readonly<Record<string, string>>;
  /** For how long nobody is granted the lease after an expiry or a revoke, in milliseconds. */
  readonly lockDelayMs: number;
  /** How long the record is kept after an expiry, in milliseconds; `undefined`: for ever. */
  readonly keepAfterExpiryMs: number | undefined;
  /** Whether a revoke waits for the holder. */
  readonly revoking: boolean;
}

/** Whether somebody holds a lease. `AVAILABLE`: never held, or released. `EXPIRED`: its last holder stays recorded. */
export type LeaseState = 'AVAILABLE' | 'HELD' | 'EXPIRED';

/** A lease that somebody else has: an ordinary answer, not an error. */
export interface Busy {
  /** Who holds the lease; empty while a lock delay or a reservation runs. */
  readonly holder: string;
  /** The fencing token of the holder's tenure, or the last one. */
  readonly fencingToken: bigint;
  /** How long the lease cannot be granted if nothing more happens, in milliseconds. */
  readonly remainingMs: number;
  /** Whether the request waited in the queue and its wait ran out. */
  readonly timedOut: boolean;
}

/** One change of one lease, as a watcher sees it. */
export interface LeaseEvent {
  /** What happened. */
  readonly type: LeaseEventType;
  /** The lease after the change; for `DELETED` as it was last. */
  readonly lease: Lease;
  /** Why it happened; `undefined` when the type says it all. */
  readonly reason: LeaseEventReason | undefined;
  /** The revision of the change. A release and the grant that follows share one. */
  readonly revision: bigint;
  /** Whether the lease was selected by the watch's selectors before the change. */
  readonly wasSelected: boolean;
}

/** What happened to a lease. `DELETED` also tells that the lease left the watch's label selector. */
export type LeaseEventType = 'CREATED' | 'ACQUIRED' | 'RENEWED' | 'RELEASED' | 'EXPIRED' | 'UPDATED' | 'DELETED';

/** Why something happened to a lease. */
export type LeaseEventReason =
  'REQUESTED' | 'EXPIRED' | 'REVOKING' | 'REVOKED' | 'HANDED_OVER' | 'COLLECTED' | 'ABANDONED' | 'UNSELECTED';

/** What a renewal was answered. */
export interface Renewed {
  /** How long the lease stays held from when the server read the request, in milliseconds. */
  readonly remainingMs: number;
  /** The duration in force, in milliseconds. */
  readonly durationMs: number;
  /** The resource version of the record after the renewal. */
  readonly resourceVersion: bigint;
}

/** Whether a fencing token is that of the living tenure. */
export interface Validity {
  /** Whether it is. */
  readonly valid: boolean;
  /** The lease as committed. */
  readonly lease: Lease;
}

/** A page of a list. */
export interface LeasePage {
  /** In the order of namespace and name. */
  readonly leases: readonly Lease[];
  /** The revision of the first page: where a watch that is to miss nothing starts. */
  readonly revision: bigint;
}

/** What every call takes. */
export interface CallOptions {
  /** How long the call may take, in milliseconds, repeats included. Default: the client's `timeoutMs`. */
  readonly timeoutMs?: number | undefined;
  /** Gives the call up; its promise then rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** What every call on one lease takes. */
export interface LeaseCallOptions extends CallOptions {
  /** Namespace of the lease. Default: the client's. */
  readonly namespace?: string | undefined;
}
