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
function toLeaseChange({ type, reason, lease, previousLabels }: WatchEvent, wasSelected: boolean): LeaseChange | undefined {
  if (type !== 'DELETED') {
    return { type: wasSelected ? 'MODIFIED' : 'ADDED', lease, labels: lease.labels };
  }
  const labels = reason === 'UNSELECTED' ? (previousLabels ?? lease.labels) : lease.labels;
  return wasSelected ? { type, lease, labels } : undefined;
}
