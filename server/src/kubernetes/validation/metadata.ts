import { isPrintable } from '../codec/go-quote.js';
import type { ManagedFieldsEntry, ObjectMeta, OwnerReference } from '../lease-object.js';
import { firstOf, forbidden, invalid, required, tooLong, type Cause } from './causes.js';
import { keyComplaints, labelValueComplaints, nameComplaints, namespaceComplaints, segmentComplaints } from './formats.js';

/** What is wrong with the metadata of a lease that is complete: its name has been generated, its namespace filled in. */
export function metadataCauses(metadata: ObjectMeta): Cause[] {
  return firstOf(causesOf(metadata));
}

function* causesOf(metadata: ObjectMeta): Generator<Cause> {
  const { generateName = '' } = metadata;
  if (generateName !== '') yield* prefixCauses(generateName, nameComplaints(generateName, true));
  yield* nameCauses(metadata);
  yield* namespaceCauses(metadata);
  yield* commonCauses(metadata);
}

/** What is looked at in every write. */
function* commonCauses(metadata: ObjectMeta): Generator<Cause> {
  yield* nonNegativeCauses('metadata.generation', metadata.generation);
  yield* namedCauses(metadata);
  yield* ownerCauses(metadata.ownerReferences ?? []);
  yield* finalizerCauses(metadata.finalizers ?? []);
  yield* managerCauses(metadata.managedFields ?? []);
}

/**
 * What is wrong with the metadata of a lease that takes the place of another one. Server-owned fields have been restored before, so that
 * little can be. kube-apiserver looks twice at what may change, and its answers list those causes twice; so does this.
 */
export function metadataUpdateCauses(next: ObjectMeta, before: ObjectMeta): Cause[] {
  const { generateName = '' } = next;
  // It has had its use: all that counts is that it could stand in a path.
  const ofName = prefixCauses(generateName, segmentComplaints(generateName));
  const ofChange = firstOf(causesOfUpdate(next, before));
  return [...ofName, ...firstOf(commonCauses(next)), ...ofChange, ...ofChange];
}

function* causesOfUpdate(next: ObjectMeta, before: ObjectMeta): Generator<Cause> {
  const { generation = 0 } = next;
  const known = new Set(before.finalizers);
  const added = (next.finalizers ?? []).filter((finalizer) => !known.has(finalizer));
  const version = next.resourceVersion ?? '';
  if (before.deletionTimestamp !== undefined && added.length > 0) {
    yield forbidden('metadata.finalizers', noNewFinalizers(added));
  }
  if (version === '') yield invalid('metadata.resourceVersion', version, 'must be specified for an update');
  if (generation < (before.generation ?? 0)) yield invalid('metadata.generation', generation, 'must not be decremented');
  for (const field of immutable) yield* immutableCauses(field, next, before);
  yield* namedCauses(next);
  yield* ownerCauses(next.ownerReferences ?? []);
  yield* managerCauses(next.managedFields ?? []);
}

function prefixCauses(generateName: string, complaints: readonly string[]): Cause[] {
  return complaints.map((rule) => invalid('metadata.generateName', generateName, rule));
}

function nameCauses({ name = '' }: ObjectMeta): Cause[] {
  if (name === '') return [required('metadata.name', 'name or generateName is required')];
  return nameComplaints(name, false).map((rule) => invalid('metadata.name', name, rule));
}

function namespaceCauses({ namespace = '' }: ObjectMeta): Cause[] {
  if (namespace === '') return [required('metadata.namespace', '')];
  return namespaceComplaints(namespace).map((rule) => invalid('metadata.namespace', namespace, rule));
}

function nonNegativeCauses(field: string, value = 0): Cause[] {
  return value < 0 ? [invalid(field, value, 'must be greater than or equal to 0')] : [];
}

/** Labels and annotations. */
function* namedCauses({ labels = {}, annotations = {} }: ObjectMeta): Generator<Cause> {
  for (const [key, value] of Object.entries(labels)) {
    yield* keyComplaints(key).map((rule) => invalid('metadata.labels', key, rule));
    yield* labelValueComplaints(value).map((rule) => invalid('metadata.labels', value, rule));
  }
  let bytes = 0;
  for (const [key, value] of Object.entries(annotations)) {
    // Of annotations the case does not matter.
    yield* keyComplaints(key.toLowerCase()).map((rule) => invalid('metadata.annotations', key, rule));
    bytes += Buffer.byteLength(key) + Buffer.byteLength(value);
  }
  if (bytes > annotationsMaxBytes) yield tooLong('metadata.annotations', annotationsMaxBytes);
}

function* ownerCauses(references: readonly OwnerReference[]): Generator<Cause> {
  for (const reference of references) yield* oneOwnerCauses(reference);
  const [first, ...others] = references.filter(({ controller }) => controller === true);
  for (const other of others) {
    const found = `Found "true" in references for ${shortOf(first)} and ${shortOf(other)}`;
    yield invalid('metadata.ownerReferences', references.map(inOrder), `${onlyOneController}. ${found}`);
  }
}

function shortOf(reference: OwnerReference | undefined): string {
  return `${reference?.kind ?? ''}/${reference?.name ?? ''}`;
}

function oneOwnerCauses(reference: OwnerReference): Cause[] {
  const field = 'metadata.ownerReferences';
  const { apiVersion, kind, name, uid } = reference;
  const causes: Cause[] = [];
  if (versionOf(apiVersion) === '') causes.push(invalid(`${field}.apiVersion`, apiVersion, 'version must not be empty'));
  if (kind === '') causes.push(invalid(`${field}.kind`, kind, 'must not be empty'));
  if (name === '') causes.push(invalid(`${field}.name`, name, 'must not be empty'));
  if (uid === '') causes.push(invalid(`${field}.uid`, uid, 'must not be empty'));
  if (apiVersion === 'v1' && kind === 'Event') {
    causes.push(invalid(field, inOrder(reference), '/v1, Kind=Event is disallowed from being an owner'));
  }
  return causes;
}

/** The version within a group; empty for what is none. */
function versionOf(apiVersion: string): string {
  const parts = apiVersion.split('/');
  return parts.length > 2 ? '' : (parts.at(-1) ?? '');
}

/** An owner reference with its fields as Go orders them, for messages. */
function inOrder({ apiVersion, kind, name, uid, controller, blockOwnerDeletion }: OwnerReference): object {
  return { apiVersion, kind, name, uid, controller, blockOwnerDeletion };
}

function* finalizerCauses(finalizers: readonly string[]): Generator<Cause> {
  for (const finalizer of finalizers) {
    yield* keyComplaints(finalizer).map((rule) => invalid('metadata.finalizers', finalizer, rule));
  }
  if (finalizers.includes('orphan') && finalizers.includes('foregroundDeletion')) {
    const rule = 'finalizer orphan and foregroundDeletion cannot be both set';
    yield invalid('metadata.finalizers', finalizers, rule);
  }
}

function* managerCauses(entries: readonly ManagedFieldsEntry[]): Generator<Cause> {
  for (const [index, entry] of entries.entries()) {
    const { manager = '', subresource = '' } = entry;
    // What clients write is text of any kind until it has been looked at here.
    const { operation = '', fieldsType = '' } = entry as { readonly operation?: string; readonly fieldsType?: string };
    const field = `metadata.managedFields[${index}]`;
    if (operation !== 'Apply' && operation !== 'Update') {
      yield invalid(`${field}.operation`, operation, 'must be `Apply` or `Update`');
    }
    if (fieldsType !== '' && fieldsType !== 'FieldsV1') yield invalid(`${field}.fieldsType`, fieldsType, 'must be `FieldsV1`');
    yield* managerNameCauses(`${field}.manager`, manager);
    if (Buffer.byteLength(subresource) > subresourceMaxBytes) yield tooLong(`${field}.subresource`, subresourceMaxBytes);
  }
}

/** What is wrong with the name of a field manager, which also comes as a query parameter. */
export function fieldManagerCauses(field: string, manager: string): Cause[] {
  return firstOf(managerNameCauses(field, manager));
}

function* managerNameCauses(field: string, manager: string): Generator<Cause> {
  if (Buffer.byteLength(manager) > managerMaxBytes) yield tooLong(field, managerMaxBytes);
  if (printableAscii.test(manager)) return;
  let position = 0;
  for (const character of manager) {
    if (!isPrintable(character)) {
      const code = (character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0');
      yield invalid(field, manager, `invalid character U+${code} (at position ${position})`);
    }
    position += Buffer.byteLength(character);
  }
}

/** What nearly all names are made of. */
const printableAscii = /^[ -~]*$/;

/** What of the metadata may not change at all. */
const immutable = ['name', 'namespace', 'uid', 'creationTimestamp', 'deletionTimestamp', 'deletionGracePeriodSeconds'] as const;

function immutableCauses(field: (typeof immutable)[number], next: ObjectMeta, before: ObjectMeta): Cause[] {
  if (next[field] === before[field]) return [];
  const none = field === 'name' || field === 'namespace' || field === 'uid' ? '' : null;
  return [invalid(`metadata.${field}`, next[field] ?? none, 'field is immutable')];
}

function noNewFinalizers(added: readonly string[]): string {
  const list = [...new Set(added)]
    .sort()
    .map((finalizer) => JSON.stringify(finalizer))
    .join(', ');
  return `no new finalizers can be added if the object is being deleted, found new finalizers []string{${list}}`;
}

const onlyOneController = 'Only one reference can have Controller set to true';

/** 256 KiB for all keys and values together. */
const annotationsMaxBytes = 262_144;
const managerMaxBytes = 128;
const subresourceMaxBytes = 256;
