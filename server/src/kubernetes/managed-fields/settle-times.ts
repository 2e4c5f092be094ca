import { sameJson, type Json } from '../json.js';
import type { LeaseObject, ManagedFieldsEntry } from '../lease-object.js';

/**
 * The object that is to be stored, with the times of its managers put back if they are all that is new: a write that changes nothing
 * is none, and has no version of its own. Both objects are complete, as they are stored.
 */
export function settleTimes(before: LeaseObject, after: LeaseObject): LeaseObject {
  // Most writes are renewals, which are told apart by their spec.
  if (!sameJson(before.spec as Json | undefined, after.spec as Json | undefined) || !sameBut(before, after)) return after;
  const { managedFields } = before.metadata;
  return managedFields === undefined ? after : { ...after, metadata: { ...after.metadata, managedFields } };
}

function sameBut(before: LeaseObject, after: LeaseObject): boolean {
  const untimed = [before, after].map(({ metadata: { managedFields, ...metadata }, ...rest }) => ({
    ...rest,
    metadata,
    managedFields: managedFields?.map(({ time: _, ...entry }: ManagedFieldsEntry) => entry) ?? null,
  }));
  return sameJson(untimed[0] as unknown as Json, untimed[1] as unknown as Json);
}
