import {
  leaseKey,
  newRecord as recordOfNobody,
  type Change,
  type CommittedChange,
  type LeaseEvent,
  type LeaseRecord,
} from '@leasehold/core';

/** Makes a record that nobody committed yet. */
export function newRecord(name: string, fields: Partial<LeaseRecord> = {}): LeaseRecord {
  const moment = { wallMs: 1_790_000_000_000, newUid: () => `uid-of-${name}` };
  return { ...recordOfNobody({ namespace: 'default', name }, moment), ...fields };
}

/** A lease comes into being. */
export function create(name: string, fields: Partial<LeaseRecord> = {}): Change {
  const record = newRecord(name, fields);
  return changeOf(record, 0n, { type: 'CREATED', reason: 'REQUESTED', lease: record, previousLabels: undefined });
}

/** A lease is granted, whether it is there or not. */
export function grant(before: LeaseRecord, holder: string): Change {
  const record: LeaseRecord = {
    ...before,
    state: 'HELD',
    holder,
    lastHolder: holder,
    durationMs: 15_000,
    acquireTimeMs: 1_790_000_000_500,
  };
  const event: LeaseEvent = { type: 'ACQUIRED', reason: 'REQUESTED', lease: record, previousLabels: before.labels };
  return { ...changeOf(record, before.resourceVersion, event), grants: true };
}

/** A lease is changed. */
export function update(before: LeaseRecord, fields: Partial<LeaseRecord>): Change {
  const record = { ...before, ...fields };
  return changeOf(record, before.resourceVersion, {
    type: 'UPDATED',
    reason: 'REQUESTED',
    lease: record,
    previousLabels: before.labels,
  });
}

/** A lease goes. */
export function remove(before: LeaseRecord): Change {
  return {
    ...changeOf(before, before.resourceVersion, {
      type: 'DELETED',
      reason: 'REQUESTED',
      lease: before,
      previousLabels: before.labels,
    }),
    record: undefined,
  };
}

/** A holder releases and the next one is granted: one change with two events. */
export function handOver(before: LeaseRecord, holder: string): Change {
  const released: LeaseRecord = { ...before, state: 'AVAILABLE', holder: '', endTimeMs: 1_790_000_000_900 };
  const next = grant(released, holder);
  return {
    ...next,
    expected: before.resourceVersion,
    events: [{ type: 'RELEASED', reason: 'REQUESTED', lease: released, previousLabels: before.labels }, ...next.events],
  };
}

/** The record of a change that kept one. */
export function recordOf(committed: CommittedChange | undefined): LeaseRecord {
  if (committed?.record === undefined) {
    throw new Error('the change left no record');
  }
  return committed.record;
}

function changeOf(record: LeaseRecord, expected: bigint, event: LeaseEvent): Change {
  return { key: leaseKey(record.namespace, record.name), expected, record, grants: false, events: [event] };
}
