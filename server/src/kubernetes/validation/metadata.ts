import { isPrintable } from '../codec/go-quote.js';
import type { ManagedFieldsEntry, ObjectMeta, OwnerReference } from '../lease-object.js';
import { forbidden, invalid, required, tooLong, type Cause } from './causes.js';
import { keyComplaints, labelValueComplaints, nameComplaints, namespaceComplaints } from './formats.js';

/** What is wrong with the metadata of a lease that is complete: its name has been generated, its namespace filled in. */
export function metadataCauses(metadata: ObjectMeta): Cause[] {
  const { generateName = '', finalizers = [] } = metadata;
  const prefixCauses =
    generateName === ''
      ? []
      : nameComplaints(generateName, true).map((rule) => invalid('metadata.generateName', generateName, rule));
  return [
    ...prefixCauses,
    ...nameCauses(metadata),
    ...namespaceCauses(metadata),
    ...nonNegativeCauses('metadata.generation', metadata.generation),
    ...namedCauses(metadata),
    ...ownerCauses(metadata.ownerReferences ?? []),
    ...finalizerCauses(finalizers),
    ...managerCauses(metadata.managedFields ?? []),
  ];
}

/** What is wrong with a change of metadata. Server-owned fields have been restored before, so that little can be. */
export function metadataUpdateCauses(next: ObjectMeta, before: ObjectMeta): Cause[] {
  const { generation = 0 } = next;
  const added = (next.finalizers ?? []).filter((finalizer) => !before.finalizers?.includes(finalizer));
  const isAddedTooLate = before.deletionTimestamp !== undefined && added.length > 0;
  const version = next.resourceVersion ?? '';
  return [
    ...(isAddedTooLate ? [forbidden('metadata.finalizers', noNewFinalizers(added))] : []),
    ...(version === '' ? [invalid('metadata.resourceVersion', version, 'must be specified for an update')] : []),
    ...(generation < (before.generation ?? 0) ? [invalid('metadata.generation', generation, 'must not be decremented')] : []),
    ...immutable.flatMap((field) => immutableCauses(field, next, before)),
    ...namedCauses(next),
    ...ownerCauses(next.ownerReferences ?? []),
    ...managerCauses(next.managedFields ?? []),
  ];
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
function namedCauses({ labels = {}, annotations = {} }: ObjectMeta): Cause[] {
  const causes = Object.entries(labels).flatMap(([key, value]) => [
    ...keyComplaints(key).map((rule) => invalid('metadata.labels', key, rule)),
    ...labelValueComplaints(value).map((rule) => invalid('metadata.labels', value, rule)),
  ]);
  let bytes = 0;
  for (const [key, value] of Object.entries(annotations)) {
    // Of annotations the case does not matter.
    causes.push(...keyComplaints(key.toLowerCase()).map((rule) => invalid('metadata.annotations', key, rule)));
    bytes += Buffer.byteLength(key) + Buffer.byteLength(value);
  }
  if (bytes > annotationsMaxBytes) causes.push(tooLong('metadata.annotations', annotationsMaxBytes));
  return causes;
}

function ownerCauses(references: readonly OwnerReference[]): Cause[] {
  const [first, ...others] = references
    .filter(({ controller }) => controller === true)
    .map(({ kind, name }) => `${kind}/${name}`);
  return [
    ...references.flatMap(oneOwnerCauses),
    ...others.map((other) => {
      const found = `Found "true" in references for ${first ?? ''} and ${other}`;
      return invalid('metadata.ownerReferences', references.map(inOrder), `${onlyOneController}. ${found}`);
    }),
  ];
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
function inOrder({ apiVersion, kind, name, uid, ...flags }: OwnerReference): OwnerReference {
  return { apiVersion, kind, name, uid, ...flags };
}

function finalizerCauses(finalizers: readonly string[]): Cause[] {
  const causes = finalizers.flatMap((finalizer) =>
    keyComplaints(finalizer).map((rule) => invalid('metadata.finalizers', finalizer, rule)),
  );
  if (finalizers.includes('orphan') && finalizers.includes('foregroundDeletion')) {
    const rule = 'finalizer orphan and foregroundDeletion cannot be both set';
    causes.push(invalid('metadata.finalizers', finalizers, rule));
  }
  return causes;
}

function managerCauses(entries: readonly ManagedFieldsEntry[]): Cause[] {
  return entries.flatMap(({ manager = '', subresource = '', ...entry }, index) => {
    // What clients write is text of any kind until it has been looked at here.
    const { operation = '', fieldsType = '' } = entry as { readonly operation?: string; readonly fieldsType?: string };
    const field = `metadata.managedFields[${index}]`;
    const causes: Cause[] = [];
    if (operation !== 'Apply' && operation !== 'Update') {
      causes.push(invalid(`${field}.operation`, operation, 'must be `Apply` or `Update`'));
    }
    if (fieldsType !== '' && fieldsType !== 'FieldsV1') {
      causes.push(invalid(`${field}.fieldsType`, fieldsType, 'must be `FieldsV1`'));
    }
    causes.push(...fieldManagerCauses(`${field}.manager`, manager));
    if (Buffer.byteLength(subresource) > subresourceMaxBytes) causes.push(tooLong(`${field}.subresource`, subresourceMaxBytes));
    return causes;
  });
}

/** What is wrong with the name of a field manager, which also comes as a query parameter. */
export function fieldManagerCauses(field: string, manager: string): Cause[] {
  const causes = Buffer.byteLength(manager) > managerMaxBytes ? [tooLong(field, managerMaxBytes)] : [];
  let position = 0;
  for (const character of manager) {
    if (!isPrintable(character)) {
      const code = (character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0');
      causes.push(invalid(field, manager, `invalid character U+${code} (at position ${position})`));
    }
    position += Buffer.byteLength(character);
  }
  return causes;
}

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
