import type { LeaseRecord, StringMap, WatchEvent } from '@leasehold/core';
import { selectsFields, type Selection } from '../selection/selection.js';

/** What a watch is told of a lease. */
export interface LeaseChange {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  readonly lease: LeaseRecord;
  /** The labels it is shown with: of one that has left the selection, those with which it was in it. */
  readonly labels: StringMap;
}

/**
 * What a watch is told of the events that happened. Of several of one revision, such as a release and the grant that follows, it is
 * told the last one only: for clients a version is one state of the object.
 */
export function toLeaseChanges(events: readonly WatchEvent[], selection: Selection): LeaseChange[] {
  const changes: LeaseChange[] = [];
  let wasSelected = false;
  events.forEach((event, index) => {
    if (events[index - 1]?.revision !== event.revision) {
      ({ wasSelected } = event);
    }
    if (events[index + 1]?.revision !== event.revision && selectsFields(selection, event.lease)) {
      const change = toLeaseChange(event, wasSelected);
      if (change !== undefined) {
        changes.push(change);
      }
    }
  });
  return changes;
}

/** `undefined`: the lease came and went in one revision. */
function toLeaseChange(event: WatchEvent, wasSelected: boolean): LeaseChange | undefined {
  const { type, reason, lease, previousLabels } = event;
  if (type !== 'DELETED') {
    return { type: wasSelected ? 'MODIFIED' : 'ADDED', lease, labels: lease.labels };
  }
  if (!wasSelected) return undefined;
  if (reason !== 'UNSELECTED') return { type, lease, labels: lease.labels };
  const left = asItLeft(event);
  return { type, lease: left, labels: previousLabels ?? left.labels };
}

/** A lease as it was in the selection, at the version with which it has left it; as it is now, if nobody knows how it was. */
function asItLeft({ lease, before }: WatchEvent): LeaseRecord {
  if (before === undefined) return lease;
  const left = leftLeases.get(lease) ?? { ...before, resourceVersion: lease.resourceVersion };
  leftLeases.set(lease, left);
  return left;
}

/** By what they have become: one object for all watches, so that it is written once. */
const leftLeases = new WeakMap<LeaseRecord, LeaseRecord>();
