import {
  emptyMap,
  kubernetesSpec,
  type KubernetesPart,
  type KubernetesSpec,
  type LeaseRecord,
  type StringMap,
  type WriteCommand,
} from '@leasehold/core';
import { wholeSeconds } from './codec/time.js';
import { sameJson, type Json } from './json.js';
import type { FieldsV1, LeaseObject, ManagedFieldsEntry, ObjectMeta, OwnerReference } from './lease-object.js';
import { withoutNothing } from './object-meta.js';

/** The object that a record is shown as: what clients have written, and what this server says of it in annotations of its own. */
export function toObject(record: LeaseRecord): LeaseObject {
  const object = toClientObject(record);
  const annotations = {
    ...record.annotations,
    'leasehold.dev/state': record.state,
    'leasehold.dev/token': String(record.fencingToken),
  };
  return { ...object, metadata: { ...object.metadata, annotations } };
}

/** The object without what this server says of it. Writes are compared with this one: of the other part, clients write nothing. */
export function toClientObject(record: LeaseRecord): LeaseObject {
  const { generateName, generation, ownerReferences, finalizers, deletionTimeMs } = record.kubernetes ?? nothing;
  const spec = kubernetesSpec(record);
  const annotations = ofClients(record.annotations);
  const isMarked = deletionTimeMs !== undefined;
  const metadata = withoutNothing({
    name: record.name,
    generateName,
    namespace: record.namespace,
    uid: record.uid,
    resourceVersion: record.resourceVersion === 0n ? undefined : String(record.resourceVersion),
    generation,
    creationTimestamp: toTime(record.createTimeMs),
    deletionTimestamp: isMarked ? toTime(deletionTimeMs) : undefined,
    deletionGracePeriodSeconds: isMarked ? 0 : undefined,
    labels: record.labels,
    annotations,
    ownerReferences: ownerReferences as readonly OwnerReference[] | undefined,
    finalizers,
    managedFields: managedFieldsOf(record, annotations, spec),
  });
  return { kind: 'Lease', apiVersion: leaseVersion, metadata, spec };
}

/** An object as a client has written it, without what it says in the annotations that are this server's. */
export function withoutOwnAnnotations(object: LeaseObject): LeaseObject {
  const { annotations: all, ...metadata } = object.metadata;
  if (all === undefined) return object;
  const annotations = ofClients(all);
  return { ...object, metadata: isEmpty(annotations) ? metadata : { ...metadata, annotations } };
}

/** Whether an annotation is this server's. */
export function isOwnAnnotation(key: string): boolean {
  return key.startsWith(ownPrefix);
}

/** A lease as it is before a write. */
export interface LiveLease {
  readonly record: LeaseRecord;
  /** `toClientObject` of the record. */
  readonly object: LeaseObject;
}

/** What of a `WriteCommand` follows from the object that is to be written. `live`: what it takes the place of; `undefined`: nothing. */
export function toWrite({ metadata, spec = {} }: LeaseObject, live: LiveLease | undefined): WrittenParts {
  const { labels = emptyMap, annotations = emptyMap } = metadata;
  const own = live === undefined ? emptyMap : ownOf(live.record.annotations);
  return {
    resourceVersion: live?.record.resourceVersion ?? 0n,
    spec,
    labels,
    annotations: { ...annotations, ...own },
    part: toPart(metadata, live),
  };
}

type WrittenParts = Pick<WriteCommand, 'resourceVersion' | 'spec' | 'labels' | 'annotations' | 'part'>;

/** Milliseconds since 1970 as `Time` of meta/v1. */
export function toTime(wallMs: number): string {
  return wholeSeconds(wallMs);
}

/** What a record has that was never written through this API. */
const nothing: Partial<KubernetesPart> = {};

/** Where this server writes what it knows of a lease. */
const ownPrefix = 'leasehold.dev/';

const leaseVersion = 'coordination.k8s.io/v1';

function toPart(metadata: ObjectMeta, live: LiveLease | undefined): WrittenParts['part'] {
  const { generateName = '', generation, ownerReferences = [], finalizers = [] } = metadata;
  return {
    generateName,
    ...(generation === undefined ? {} : { generation }),
    ownerReferences: unlessSame(ownerReferences, live?.record.kubernetes?.ownerReferences),
    finalizers,
    managedFields: managersToStore(metadata, live),
  };
}

/** What the record keeps of an object's managers: those that were only made up for it are not kept until somebody else writes. */
function managersToStore({ managedFields = [] }: ObjectMeta, live: LiveLease | undefined): readonly unknown[] {
  const shown = live?.object.metadata.managedFields ?? [];
  const isSame = sameJson(managedFields as unknown as Json, shown as unknown as Json);
  return isSame ? (live?.record.kubernetes?.managedFields ?? []) : managedFields;
}

/** Who has written what. A record that only gRPC has written is one manager's: this server's own. */
function managedFieldsOf(record: LeaseRecord, annotations: StringMap, spec: KubernetesSpec): readonly ManagedFieldsEntry[] {
  if (record.kubernetes !== undefined) return record.kubernetes.managedFields as readonly ManagedFieldsEntry[];
  const metadata = {
    ...(isEmpty(annotations) ? {} : { 'f:annotations': fieldsOfMap(annotations) }),
    ...(isEmpty(record.labels) ? {} : { 'f:labels': fieldsOfMap(record.labels) }),
  };
  const fieldsV1 = {
    ...(isEmpty(metadata) ? {} : { 'f:metadata': metadata }),
    ...(isEmpty(spec) ? {} : { 'f:spec': specFields }),
  };
  if (isEmpty(fieldsV1)) return [];
  const time = toTime(record.renewTimeMs === 0 ? record.createTimeMs : record.renewTimeMs);
  return [{ manager: 'leasehold', operation: 'Update', apiVersion: leaseVersion, time, fieldsType: 'FieldsV1', fieldsV1 }];
}

function fieldsOfMap(map: StringMap): FieldsV1 {
  const fields = Object.keys(map).sort();
  return { '.': {}, ...Object.fromEntries(fields.map((key) => [`f:${key}`, {}])) };
}

/** All that a spec has that gRPC has written. */
const specFields: FieldsV1 = {
  'f:acquireTime': {},
  'f:holderIdentity': {},
  'f:leaseDurationSeconds': {},
  'f:leaseTransitions': {},
  'f:renewTime': {},
};

function ofClients(annotations: StringMap): StringMap {
  return Object.keys(annotations).some(isOwnAnnotation) ? pick(annotations, (key) => !isOwnAnnotation(key)) : annotations;
}

function ownOf(annotations: StringMap): StringMap {
  return pick(annotations, isOwnAnnotation);
}

function pick(map: StringMap, wanted: (key: string) => boolean): StringMap {
  return Object.fromEntries(Object.entries(map).filter(([key]) => wanted(key)));
}

/** What is written, or what is stored if that says the same: then nothing has changed, in whichever order fields came. */
function unlessSame(written: readonly unknown[], stored: readonly unknown[] | undefined): readonly unknown[] {
  return stored !== undefined && sameJson(written as Json, stored as Json) ? stored : written;
}

function isEmpty(object: object): boolean {
  return Object.keys(object).length === 0;
}
