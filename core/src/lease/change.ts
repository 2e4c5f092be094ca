import type { LeaseKey, LeaseRecord, StringMap } from './record.js';

/**
 * A change that was decided and waits for its commit. It carries no revision yet: the store gives it one (`stamp`).
 */
export interface Change {
  readonly key: LeaseKey;
  /** The resource version that the decision rests on; 0: there was no record. */
  readonly expected: bigint;
  /** The record after the change; `undefined`: it is removed. */
  readonly record: LeaseRecord | undefined;
  /** Whether the change begins a tenure: then its revision becomes the record's fencing token. */
  readonly grants: boolean;
  /** What watchers see, in order; a change that is nobody's business has none. */
  readonly events: readonly LeaseEvent[];
  /** Whether it is about servers alone, and no caller can see it: then the record keeps its resource version. */
  readonly silent?: boolean;
}

/** A change with its revision, as it was committed. */
export interface CommittedChange {
  readonly revision: bigint;
  readonly key: LeaseKey;
  readonly record: LeaseRecord | undefined;
  readonly events: readonly LeaseEvent[];
}

/** What happened to a lease, before any watcher's selectors are applied. */
export interface LeaseEvent {
  readonly type: EventType;
  readonly reason: EventReason;
  /** The lease after the event; of a `DELETED` event, as it was last, at the revision of the deletion. */
  readonly lease: LeaseRecord;
  /** Its labels before the change; `undefined` when there was no visible record. */
  readonly previousLabels: StringMap | undefined;
}

export type EventType = 'CREATED' | 'ACQUIRED' | 'RENEWED' | 'RELEASED' | 'EXPIRED' | 'UPDATED' | 'DELETED';

export type EventReason =
  'REQUESTED' | 'EXPIRED' | 'REVOKING' | 'REVOKED' | 'HANDED_OVER' | 'COLLECTED' | 'ABANDONED' | 'UNSELECTED';

/** Gives a change the revision of its commit: as resource version where callers see it, and as fencing token where it grants. */
export function stamp(change: Change, revision: bigint): CommittedChange {
  const { record } = change;
  const last = change.events.length - 1;
  return {
    revision,
    key: change.key,
    record: record === undefined || change.silent === true ? record : stampRecord(record, revision, change.grants),
    events: change.events.map((event, index) => ({
      ...event,
      lease: stampRecord(event.lease, revision, change.grants && index === last),
    })),
  };
}

function stampRecord(record: LeaseRecord, revision: bigint, grants: boolean): LeaseRecord {
  return { ...record, resourceVersion: revision, fencingToken: grants ? revision : record.fencingToken };
}
