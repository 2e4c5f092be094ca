import type { KubernetesPart } from './kubernetes-part.js';

/**
 * The record of a lease: what is durable and versioned about it. That its holder is alive is not in it (see `coordinator/entry.ts`).
 */
export interface LeaseRecord {
  readonly namespace: string;
  readonly name: string;
  /** Random identity of this incarnation of the record. */
  readonly uid: string;
  readonly state: LeaseState;
  /** Who holds the lease; of an expired one, who held it last; else empty. */
  readonly holder: string;
  /** Who held the lease last, released or not: tells whether the holder changes. */
  readonly lastHolder: string;
  /** The acquire id of the last tenure; empty when the holder's name was its identity. */
  readonly acquireId: string;
  readonly durationMs: number;
  /** The revision that granted the last tenure; 0 when there was none. */
  readonly fencingToken: bigint;
  /** The revision that last changed what callers see of this record. */
  readonly resourceVersion: bigint;
  /** How often the holder changed. */
  readonly transitions: number;
  /** How many renewals are recorded in this tenure: tells a renewal from other changes. */
  readonly renewals: number;
  readonly createTimeMs: number;
  /** Wall clock of the last grant; 0 when there was none. */
  readonly acquireTimeMs: number;
  /** Wall clock of the last renewal that reached the record; 0 when there was none. */
  readonly renewTimeMs: number;
  /** Wall clock of the end of the last tenure; 0 while it lives or when there was none. */
  readonly endTimeMs: number;
  readonly labels: StringMap;
  readonly annotations: StringMap;
  /** For how long nobody is granted the lease after an expiry or a revoke. */
  readonly lockDelayMs: number;
  /** Whether the last tenure ended so that the lock delay counts. */
  readonly delayed: boolean;
  /** How long the record is kept after an expiry; `undefined`: for ever. */
  readonly keepAfterExpiryMs: number | undefined;
  /** A revoke that waits for the holder. */
  readonly revoking: Revoking | undefined;
  /** Set once the lease is deleted but its name stays reserved: for how long, counted from the deletion or from a later start. */
  readonly reservedMs: number | undefined;
  /** Through which API the last tenure was granted: it decides whose rules count while it lives. */
  readonly origin: LeaseOrigin;
  /** What the Kubernetes API has written of it; `undefined`: nothing. */
  readonly kubernetes: KubernetesPart | undefined;
  /**
   * The session of the server that looks after the living tenure: it alone answers heartbeats, from its memory, and knows the deadline.
   * Empty: all renewals are recorded, and every server knows. Only where several servers share the leases.
   */
  readonly attendant: string;
  /** The servers where somebody waits, in order of arrival. Only where several servers share the leases. */
  readonly waiting: readonly WaitingServer[];
}

/** A server where somebody waits for a lease. */
export interface WaitingServer {
  readonly session: string;
  /** The highest of those who wait there. */
  readonly priority: number;
}

/** Through which API a tenure was granted. */
export type LeaseOrigin = 'grpc' | 'kubernetes';

/** Whether somebody holds the lease. `EXPIRED`: its last holder stays recorded. */
export type LeaseState = 'AVAILABLE' | 'HELD' | 'EXPIRED';

/** A revoke that waits for the holder to release, or for its last acknowledged deadline. */
export interface Revoking {
  /** For how long renewals still count, from the commit of the revoke or from a later start. */
  readonly graceMs: number;
  /** The waiter who is to be granted next, if it still waits then; empty: the first in the queue. */
  readonly transferTo: string;
}

/** Labels or annotations. */
export type StringMap = Readonly<Record<string, string>>;

/** The one empty map, shared by all records without labels or annotations. */
export const emptyMap: StringMap = Object.freeze({});

/** The one empty list of servers, shared by all records that nobody waits for elsewhere. */
export const nobodyElsewhere: readonly WaitingServer[] = Object.freeze([]);

/** What identifies a lease in maps and stores: neither part can contain a slash. */
export type LeaseKey = string;

export function leaseKey(namespace: string, name: string): LeaseKey {
  return `${namespace}/${name}`;
}

/** Whether callers can see the record: one that is deleted and only reserves its name is hidden. */
export function isVisible(record: LeaseRecord | undefined): record is LeaseRecord {
  return record !== undefined && record.reservedMs === undefined;
}

/** A record of a lease that somebody holds. */
export type HeldRecord = LeaseRecord & { readonly state: 'HELD' };

/** Whether somebody holds the lease. */
export function isHeld(record: LeaseRecord | undefined): record is HeldRecord {
  return record?.state === 'HELD' && record.reservedMs === undefined;
}

/** Whether two maps have the same entries. */
export function sameMap(left: StringMap, right: StringMap): boolean {
  if (left === right) {
    return true;
  }
  const keys = Object.keys(left);
  return keys.length === Object.keys(right).length && keys.every((key) => Object.hasOwn(right, key) && left[key] === right[key]);
}
