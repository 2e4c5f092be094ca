import type { FieldsV1, LeaseObject, ManagedFieldsEntry, ObjectMeta } from '../../server/dist/kubernetes/lease-object.js';
import { trackUpdate } from '../../server/dist/kubernetes/managed-fields/update.js';
import { StatusError } from '../../server/dist/kubernetes/status.js';
import { frozen } from './plain-store.js';

export const head = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease' } as const;
export const then = '2026-01-01T00:00:00Z';
export const now = '2026-02-02T00:00:00Z';

export function lease(spec: LeaseObject['spec'], metadata: ObjectMeta = {}): LeaseObject {
  return frozen({ ...head, metadata: { name: 'a', ...metadata }, ...(spec === undefined ? {} : { spec }) });
}

export function owner(uid: string, name = 'n') {
  return { apiVersion: 'v1', kind: 'Pod', name, uid };
}

/** `m Update`: the entry of who has updated these fields. */
export function entry(who: string, fieldsV1: object, time: string | undefined = then): ManagedFieldsEntry {
  const [manager, operation] = who.split(' ') as [string, 'Apply' | 'Update'];
  const { apiVersion } = head;
  const fields = fieldsV1 as FieldsV1;
  return { manager, operation, apiVersion, ...(time === '' ? {} : { time }), fieldsType: 'FieldsV1', fieldsV1: fields };
}

/** `.spec.holderIdentity` and its like as FieldsV1 has them. */
export function specFields(...names: string[]): object {
  return { 'f:spec': Object.fromEntries(names.map((name) => [`f:${name}`, {}])) };
}

export function labelFields(...names: string[]): object {
  return { 'f:metadata': { 'f:labels': Object.fromEntries(names.map((name) => [name === '.' ? name : `f:${name}`, {}])) } };
}

export function created(object: LeaseObject, manager = 'm1'): LeaseObject {
  return managedBy(object, trackUpdate({ after: object, manager, now: then }));
}

export function managedBy(object: LeaseObject, managedFields: readonly ManagedFieldsEntry[] | undefined): LeaseObject {
  const { managedFields: _, ...metadata } = object.metadata;
  return frozen({ ...object, metadata: { ...metadata, ...(managedFields === undefined ? {} : { managedFields }) } });
}

export function refusal(run: () => unknown): StatusError['status'] {
  try {
    run();
  } catch (error) {
    if (error instanceof StatusError) return error.status;
    throw error;
  }
  throw new Error('it was not refused');
}
