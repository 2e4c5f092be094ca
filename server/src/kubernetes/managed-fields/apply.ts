import { jsonType } from '../go-types.js';
import { isList, isObject, objectOr, sameJson, type Json, type JsonObject } from '../json.js';
import type { LeaseObject } from '../lease-object.js';
import { badRequest, objectInvalid, StatusError } from '../status.js';
import { whyNotApplicable } from './check-applied.js';
import { refuseConflicts } from './conflicts.js';
import { FieldSet } from './field-set.js';
import { fieldsOf } from './fields-of.js';
import { appliedOnItsSide, kubectl, withLastApplied } from './last-applied.js';
import { identityOf, leaseVersion, ofThisVersion, readManagers, writeManagers, type Managers } from './managers.js';
import { merge } from './merge.js';
import { normalForm } from './normal-form.js';
import { transfer, withoutUnowned } from './own-fields.js';
import { prune } from './prune.js';
import { updateManagers } from './update.js';

/** A server-side apply. */
export interface Apply {
  /** The object as it is; absent: there is none yet. */
  readonly live?: LeaseObject | undefined;
  /** What was sent, as parsed. */
  readonly patch: unknown;
  /** Who applies: `?fieldManager`, which has to be given. */
  readonly manager: string;
  /** Takes fields that others have given another value. */
  readonly force: boolean;
  /** RFC 3339 in UTC, in whole seconds. */
  readonly now: string;
}

/**
 * The object after a server-side apply, with its `managedFields`: what is applied is laid over what is there, and what this manager
 * has applied before and does not any more is gone, unless others say something about it.
 *
 * Times in `spec` are as the patch has them, name, namespace, uid and resourceVersion too: whoever stores the object checks them.
 *
 * @throws {StatusError} 400 or 422: it is no apply of a lease; 409: others have given fields another value; 500, as kube-apiserver
 * has it: the patch has fields that leases do not have, or that are of another type.
 */
export function apply({ live, patch, manager, force, now }: Apply): LeaseObject {
  if (manager === '') throw managerRequired();
  const applied = readPatch(patch as Json);
  const before = normalForm(live ?? { apiVersion: leaseVersion, kind: 'Lease' });
  const managers = managersOf(live, now);
  const by = identityOf({ ...applier, name: manager });
  const previous = managers.get(by);
  const fields = fieldsOf(applied);
  const claimed = [...managers].reduce((all, [identity, other]) => (identity === by ? all : all.union(other.fields)), fields);
  const after = prune(merge(before, applied), { before: previous?.fields ?? FieldSet.empty, now: claimed });
  const { others, taken } = transfer(managers, { before, after, by });
  if (!force) refuseConflicts(managers, taken, manager === kubectl ? appliedOnItsSide(before) : FieldSet.empty);

  const owned = withoutUnowned(fields);
  const time = sameJson(before, after) ? previous?.time : now;
  if (!owned.isEmpty) others.set(by, { ...applier, name: manager, time, fields: owned });
  return withManagers(manager === kubectl ? withLastApplied(after, applied) : after, others);
}

const applier = { operation: 'Apply', apiVersion: leaseVersion, subresource: '' } as const;

function readPatch(patch: Json | undefined): JsonObject {
  const applied = patch ?? {};
  if (!isObject(applied)) {
    throw badRequest(
      `error decoding YAML: error unmarshaling JSON: while decoding JSON: json: cannot unmarshal ${jsonType(applied)} into Go value of type map[string]interface {}`,
    );
  }
  const type = typeOf(applied);
  if (type !== `${leaseVersion}, Kind=Lease`) throw badRequest(`invalid object type: ${type}`);
  const metadata = objectOr(applied['metadata']);
  if (isStated(metadata['managedFields'])) throw badRequest('metadata.managedFields must be nil');
  const why = whyNotApplicable(applied);
  if (why === undefined) return applied;
  const name = `${textOr(metadata['namespace'])}/${textOr(metadata['name'])}`;
  throw new StatusError(500, '', `failed to create typed patch object (${name}; ${type}): ${why}`);
}

/** Whether managers are stated, as far as Kubernetes can read them: a list of anything but objects is none to it. */
function isStated(managedFields: Json | undefined): boolean {
  return isList(managedFields) && managedFields.every(isObject);
}

/** Who owns what before the apply. An object that is not tracked is one manager's, who has nothing to do with this one. */
function managersOf(live: LeaseObject | undefined, now: string): Managers {
  const managers = readManagers(live?.metadata.managedFields);
  if (managers === undefined) throw new StatusError(500, '', 'failed to decode managed fields');
  if (managers.size > 0 || live === undefined) return ofThisVersion(managers);
  return updateManagers(managers, { after: live, manager: 'before-first-apply', now });
}

function withManagers(object: JsonObject, managers: Managers): LeaseObject {
  const { metadata, ...rest } = normalForm(object);
  const { managedFields: _, ...kept } = objectOr(metadata);
  const entries = writeManagers(managers);
  return {
    ...rest,
    metadata: { ...kept, ...(entries === undefined ? {} : { managedFields: entries }) },
  } as unknown as LeaseObject;
}

/** The type of an object as Kubernetes writes it. */
function typeOf(object: JsonObject): string {
  const apiVersion = textOr(object['apiVersion']);
  const slashes = apiVersion.split('/').length - 1;
  if (slashes > 1) return '/, Kind=';
  return `${slashes === 1 ? '' : '/'}${apiVersion}, Kind=${textOr(object['kind'])}`;
}

function textOr(value: Json | undefined): string {
  return typeof value === 'string' ? value : '';
}

/** 422: the query does not say who applies. */
function managerRequired(): StatusError {
  const cause = { reason: 'FieldValueRequired', message: 'Required value: is required for apply patch', field: 'fieldManager' };
  return objectInvalid({ group: 'meta.k8s.io', kind: 'PatchOptions' }, '', [cause]);
}
