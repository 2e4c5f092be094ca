import type { KubernetesSpec } from '@leasehold/core';
import { goQuote } from './codec/go-quote.js';
import type { LeaseObject, ObjectMeta, OwnerReference } from './lease-object.js';
import { withoutNothing, type LooseMeta } from './object-meta.js';
import { badRequest, leaseInvalid, StatusError } from './status.js';
import { validateCreate, validateUpdate } from './validation.js';
import { namespaceComplaints } from './validation/formats.js';

/**
 * A lease as it may be created: without what only the server may say. Its name has been made, its place checked.
 *
 * @throws {StatusError} 404: there can be no such namespace. 422: its fields break rules.
 */
export function admitCreate({ metadata, spec = {}, ...object }: LeaseObject): LeaseObject {
  const { namespace = '', name = '' } = metadata;
  if (namespaceComplaints(namespace).length > 0) {
    const details = { name: namespace, kind: 'namespaces' };
    throw new StatusError(404, 'NotFound', `namespaces ${goQuote(namespace)} not found`, { details });
  }
  const { resourceVersion, ...kept } = withoutServersOwn({ ...object, metadata }).metadata;
  const admitted = { ...object, metadata: withoutNothing(kept), spec: served(spec) };
  const causes = validateCreate(admitted);
  if (causes.length > 0) throw leaseInvalid(name, causes);
  return admitted;
}

/**
 * A lease as it may take the place of another one: with what only the server may say as it was.
 *
 * @throws {StatusError} 422: its fields break rules, or it changes what cannot be changed.
 */
export function admitUpdate(object: LeaseObject, before: LeaseObject): LeaseObject {
  const { metadata, spec = {} } = object;
  const { generation, uid, creationTimestamp, deletionTimestamp, deletionGracePeriodSeconds } = before.metadata;
  const restored: LooseMeta = {
    ...metadata,
    selfLink: undefined,
    generation,
    uid: (metadata.uid ?? '') === '' ? uid : metadata.uid,
    creationTimestamp,
    deletionTimestamp: deletionTimestamp ?? metadata.deletionTimestamp,
    deletionGracePeriodSeconds: metadata.deletionGracePeriodSeconds ?? deletionGracePeriodSeconds,
  };
  const admitted = { ...object, metadata: withoutNothing(restored), spec: served(spec) };
  const causes = validateUpdate(admitted, before);
  if (causes.length > 0) throw leaseInvalid(before.metadata.name ?? '', causes);
  return admitted;
}

/** A new object without what only the server may say: it is nobody's field. */
export function withoutServersOwn(object: LeaseObject): LeaseObject {
  const { uid, creationTimestamp, deletionTimestamp, deletionGracePeriodSeconds, selfLink, ...metadata } = object.metadata;
  return { ...object, metadata };
}

/** Where an object belongs. */
export interface LeasePlace {
  readonly namespace: string;
  /** `undefined`: it says so itself. */
  readonly name: string | undefined;
}

/** The object in its place, which it may leave out, but not contradict. @throws {StatusError} 400 */
export function inPlace(object: LeaseObject, { namespace, name }: LeasePlace): LeaseObject {
  const { metadata } = object;
  if (metadata.namespace !== undefined && metadata.namespace !== '' && metadata.namespace !== namespace) {
    throw badRequest('the namespace of the provided object does not match the namespace sent on the request');
  }
  if (name !== undefined) checkName(metadata, name);
  return metadata.namespace === namespace ? object : { ...object, metadata: { ...metadata, namespace } };
}

/** Checks that an object has the name of its path. @throws {StatusError} 400 */
export function checkName({ name: given = '' }: ObjectMeta, name: string): void {
  if (given === '') {
    throw badRequest(`the name of the object (${name} based on URL) was undeterminable: name must be provided`);
  }
  if (given !== name) throw badRequest(`the name of the object (${given}) does not match the name on the URL (${name})`);
}

/** The object with each owner once, and whose uid came twice. */
export function withOwnersOnce(object: LeaseObject): { readonly object: LeaseObject; readonly twice: readonly string[] } {
  const { ownerReferences } = object.metadata;
  if (ownerReferences === undefined || ownerReferences.length < 2) return { object, twice: [] };
  const once = new Map<string, OwnerReference>();
  const twice: string[] = [];
  for (const owner of ownerReferences) {
    const { apiVersion, kind, name, uid, controller, blockOwnerDeletion } = owner;
    const said = JSON.stringify([apiVersion, kind, name, uid, controller ?? null, blockOwnerDeletion ?? null]);
    if (once.has(said)) twice.push(uid);
    else once.set(said, owner);
  }
  return { object: { ...object, metadata: { ...object.metadata, ownerReferences: [...once.values()] } }, twice };
}

/** Without what Kubernetes keeps only where elections are coordinated (its feature gate CoordinatedLeaderElection). */
function served(spec: KubernetesSpec): KubernetesSpec {
  if (spec.strategy === undefined && spec.preferredHolder === undefined) return spec;
  const { strategy, preferredHolder, ...kept } = spec;
  return kept;
}
