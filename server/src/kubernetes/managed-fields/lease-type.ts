import type { PathElement } from './path-element.js';

/**
 * How the parts of a Lease are owned (the schema that kube-apiserver publishes for it): a scalar or something atomic as a whole,
 * a struct or a map by its fields, a list by its items.
 */
export type FieldType = ScalarType | StructType | MapType | ListType;

export interface ScalarType {
  readonly kind: 'scalar';
  /** `any`: kube-apiserver looks at it only once it makes a time of it. */
  readonly of: 'string' | 'number' | 'boolean' | 'any';
}

export interface StructType {
  readonly kind: 'struct';
  readonly fields: ReadonlyMap<string, FieldType>;
  readonly atomic: boolean;
}

export interface MapType {
  readonly kind: 'map';
  readonly of: FieldType;
}

export interface ListType {
  readonly kind: 'list';
  readonly of: FieldType;
  /** What tells its items apart: their value, or one of their fields. `undefined`: the list is atomic. */
  readonly by: 'value' | { readonly field: string } | undefined;
}

/** Whether a field is owned as a whole. */
export function isAtomic(type: FieldType): boolean {
  return type.kind === 'scalar' || (type.kind === 'struct' && type.atomic) || (type.kind === 'list' && type.by === undefined);
}

/** The type of what an element leads to; `undefined`: there is no such field. */
export function typeBelow(type: FieldType, element: PathElement): FieldType | undefined {
  if (type.kind === 'list') return type.of;
  if (type.kind === 'scalar' || !element.startsWith('f:')) return undefined;
  return typeOfField(type, element.slice(2));
}

/** The type of a field; `undefined`: there is no such field. */
export function typeOfField(type: StructType | MapType, name: string): FieldType | undefined {
  return type.kind === 'map' ? type.of : type.fields.get(name);
}

function struct(fields: Readonly<Record<string, FieldType>>, atomic = false): StructType {
  return { kind: 'struct', fields: new Map(Object.entries(fields)), atomic };
}

const text: ScalarType = { kind: 'scalar', of: 'string' };
const number: ScalarType = { kind: 'scalar', of: 'number' };
const flag: ScalarType = { kind: 'scalar', of: 'boolean' };
const time: ScalarType = { kind: 'scalar', of: 'any' };
const texts: MapType = { kind: 'map', of: text };

const ownerReference = struct(
  { apiVersion: text, kind: text, name: text, uid: text, controller: flag, blockOwnerDeletion: flag },
  true,
);

const metadata = struct({
  ...{ name: text, generateName: text, namespace: text, selfLink: text, uid: text, resourceVersion: text, generation: number },
  ...{ creationTimestamp: time, deletionTimestamp: time, deletionGracePeriodSeconds: number },
  labels: texts,
  annotations: texts,
  ownerReferences: { kind: 'list', of: ownerReference, by: { field: 'uid' } },
  finalizers: { kind: 'list', of: text, by: 'value' },
  managedFields: { kind: 'list', of: time, by: undefined },
});

const spec = struct({
  ...{ holderIdentity: text, leaseDurationSeconds: number, acquireTime: time, renewTime: time },
  ...{ leaseTransitions: number, strategy: text, preferredHolder: text },
});

/** The type of a Lease of coordination.k8s.io/v1. */
export const leaseType: StructType = struct({ apiVersion: text, kind: text, metadata, spec });
