import type { WatchEvent, WatchQuery } from './api.js';
import type { CommittedChange, LeaseEvent } from '../lease/change.js';
import type { LeaseRecord } from '../lease/record.js';

/** Finds what a change has replaced; `undefined`: it is not known any more, or there was nothing. */
export type FindBefore = () => LeaseRecord | undefined;

/** What of a change a watch is sent: nothing, an event, or two of one revision. */
export function selectEvents(query: WatchQuery, change: CommittedChange, findBefore: FindBefore): readonly WatchEvent[] {
  const selected: WatchEvent[] = [];
  for (const event of change.events) {
    if (isAbout(query, event) && (query.includeRenewals || event.type !== 'RENEWED')) {
      const seen = select(query, event, { revision: change.revision, findBefore });
      if (seen !== undefined) {
        selected.push(seen);
      }
    }
  }
  return selected;
}

function isAbout(query: WatchQuery, { lease }: LeaseEvent): boolean {
  return (query.namespace === '' || query.namespace === lease.namespace) && (query.name === '' || query.name === lease.name);
}

/** A change that takes a lease out of the selection arrives as `DELETED`. */
function select(
  query: WatchQuery,
  event: LeaseEvent,
  { revision, findBefore }: { readonly revision: bigint; readonly findBefore: FindBefore },
): WatchEvent | undefined {
  const { type, reason, lease, previousLabels } = event;
  const wasSelected = previousLabels !== undefined && query.selector.matches(previousLabels);
  if (type === 'DELETED') {
    return wasSelected ? { type, reason, lease, previousLabels, revision, wasSelected } : undefined;
  }
  if (query.selector.matches(lease.labels)) {
    return { type, reason, lease, previousLabels, revision, wasSelected };
  }
  if (!wasSelected) return undefined;
  return { type: 'DELETED', reason: 'UNSELECTED', lease, previousLabels, revision, wasSelected, before: findBefore() };
}
