import { member, sameJson, type Json, type JsonObject } from '../json.js';
import type { LeaseObject, ManagedFieldsEntry } from '../lease-object.js';
import { leaseVersion } from './managers.js';

/** Who writes, and when. */
export interface Rewrite {
  readonly manager: string;
  readonly now: string;
}

/**
 * The managers after a write of the most frequent kind, a renewal: all that is new is other values of spec fields that are the writer's
 * own already. Then nobody gains or loses a field, and only the time of the writer is new. `undefined`: it is a write of another kind, for
 * which `updateManagers` finds the same at ten times the cost.
 */
export function rewriteOwn(
  before: LeaseObject,
  after: LeaseObject,
  { manager, now }: Rewrite,
): readonly ManagedFieldsEntry[] | undefined {
  const entries = before.metadata.managedFields ?? [];
  // They are in the order of their times: the last to write stays the last.
  const [own, others] = [entries.at(-1), entries.slice(0, -1)];
  if (own === undefined || !isUpdateOf(own, manager) || (own.time ?? '') > now) return undefined;
  if (others.some(({ apiVersion }) => apiVersion !== leaseVersion)) return undefined;
  if (!same(after.metadata.managedFields ?? entries, entries)) return undefined;
  const changed = changedOnly(before, after) ?? [];
  const isOwn = changed.every((field) => owns(own, field) && !others.some((other) => owns(other, field)));
  return changed.length > 0 && isOwn ? [...others, { ...own, time: now }] : undefined;
}

/** The fields of the spec that have another value; `undefined`: something else is different, too. */
function changedOnly(before: LeaseObject, after: LeaseObject): string[] | undefined {
  if (!sameMetadata(before.metadata, after.metadata)) return undefined;
  const [left, right] = [before.spec ?? {}, after.spec ?? {}] as [JsonObject, JsonObject];
  const fields = Object.keys(left);
  if (fields.length !== Object.keys(right).length) return undefined;
  const changed: string[] = [];
  for (const field of fields) {
    const value = member(right, field);
    if (value === undefined || value === null) return undefined;
    if (value !== left[field]) changed.push(field);
  }
  return changed;
}

/** But for what the server says of every write. */
function sameMetadata(before: LeaseObject['metadata'], after: LeaseObject['metadata']): boolean {
  const names = new Set([...Object.keys(before), ...Object.keys(after)]) as Set<keyof LeaseObject['metadata']>;
  names.delete('managedFields');
  names.delete('resourceVersion');
  for (const name of names) if (!same(before[name], after[name])) return false;
  return true;
}

function same(left: unknown, right: unknown): boolean {
  return left === right || sameJson(left as Json, right as Json);
}

function isUpdateOf({ manager, operation, apiVersion, subresource = '' }: ManagedFieldsEntry, name: string): boolean {
  return manager === name && operation === 'Update' && apiVersion === leaseVersion && subresource === '';
}

function owns({ fieldsV1 }: ManagedFieldsEntry, field: string): boolean {
  const spec = fieldsV1?.['f:spec'];
  return spec !== undefined && Object.hasOwn(spec, `f:${field}`);
}
