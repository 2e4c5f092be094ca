import { isObject, type Json, type JsonObject } from '../json.js';
import type { ManagedFieldsEntry } from '../lease-object.js';
import { FieldSet } from './field-set.js';
import { isAtomic, leaseType, typeBelow, type FieldType } from './lease-type.js';
import type { PathElement } from './path-element.js';

/** Someone who has written fields of an object: an entry of `managedFields`. */
export interface Manager {
  readonly name: string;
  readonly operation: 'Apply' | 'Update';
  readonly apiVersion: string;
  readonly subresource: string;
  /** RFC 3339; `undefined`: it is not known when. */
  readonly time: string | undefined;
  readonly fields: FieldSet;
}

/** Managers by their identity. */
export type Managers = Map<string, Manager>;

/** The version of leases that there is. What entries of others mean here is not known. */
export const leaseVersion = 'coordination.k8s.io/v1';

/** The identity of a manager: who applies is one whatever the version, who updates is another one in each. They sort as in Kubernetes. */
export function identityOf({ name, operation, apiVersion, subresource }: Omit<Manager, 'time' | 'fields'>): string {
  const version = operation === 'Apply' ? '' : `,"apiVersion":${JSON.stringify(apiVersion)}`;
  const part = subresource === '' ? '' : `,"subresource":${JSON.stringify(subresource)}`;
  return `{${name === '' ? '' : `"manager":${JSON.stringify(name)},`}"operation":"${operation}"${version}${part}}`;
}

/** The managers that entries name. `undefined`: the entries are no good. */
export function readManagers(entries: readonly ManagedFieldsEntry[] | undefined): Managers | undefined {
  const managers: Managers = new Map();
  try {
    for (const entry of entries ?? []) {
      const manager = readManager(entry as Json);
      managers.set(identityOf(manager), manager);
    }
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
  return managers;
}

/** The entries of managers, in the order of Kubernetes. `undefined`: there are none. */
export function writeManagers(managers: Managers): readonly ManagedFieldsEntry[] | undefined {
  if (managers.size === 0) return undefined;
  return [...managers.values()].sort(byOperationAndTime).map(writeManager);
}

/** Seconds since 1970 of a manager's time; one without a time is from before all others. */
export function secondsOf({ time }: Manager): number {
  const ms = time === undefined ? NaN : Date.parse(time);
  return Number.isNaN(ms) ? 0 : Math.floor(ms / 1000);
}

/** The managers whose entries mean something for leases as they are. */
export function ofThisVersion(managers: Managers): Managers {
  return new Map([...managers].filter(([, { apiVersion }]) => apiVersion === leaseVersion));
}

function readManager(entry: Json): Manager {
  if (!isObject(entry)) throw new SyntaxError('an entry has to be an object');
  const { operation } = entry;
  if (operation !== 'Apply' && operation !== 'Update') throw new SyntaxError('operation must be `Apply` or `Update`');
  if (entry['fieldsType'] !== 'FieldsV1') throw new SyntaxError('fieldsType must be `FieldsV1`');
  const apiVersion = textOf(entry, 'apiVersion');
  if (apiVersion === '') throw new SyntaxError('apiVersion must not be empty');
  return {
    name: textOf(entry, 'manager'),
    operation,
    apiVersion,
    subresource: textOf(entry, 'subresource'),
    time: textOf(entry, 'time') || undefined,
    fields: readFields(entry['fieldsV1']),
  };
}

/** Objects that are kept name the same sets over and over again: each is read once. */
const setsRead = new WeakMap<object, FieldSet>();

function readFields(fieldsV1: Json | undefined): FieldSet {
  if (!isObject(fieldsV1)) return FieldSet.fromFieldsV1(fieldsV1);
  const fields = setsRead.get(fieldsV1) ?? ofThisSchema(FieldSet.fromFieldsV1(fieldsV1));
  setsRead.set(fieldsV1, fields);
  return fields;
}

function textOf(entry: JsonObject, key: string): string {
  const value = entry[key];
  return typeof value === 'string' ? value : '';
}

function writeManager({ name, operation, apiVersion, subresource, time, fields }: Manager): ManagedFieldsEntry {
  return {
    ...(name === '' ? {} : { manager: name }),
    operation,
    apiVersion,
    ...(time === undefined ? {} : { time }),
    fieldsType: 'FieldsV1',
    fieldsV1: fields.toFieldsV1(),
    ...(subresource === '' ? {} : { subresource }),
  };
}

function byOperationAndTime(left: Manager, right: Manager): number {
  return (
    compareText(left.operation, right.operation) ||
    secondsOf(left) - secondsOf(right) ||
    compareText(left.name, right.name) ||
    compareText(left.apiVersion, right.apiVersion) ||
    compareText(left.subresource, right.subresource)
  );
}

function compareText(left: string, right: string): number {
  if (left === right) return 0;
  return left < right ? -1 : 1;
}

/** Fields below something that is owned as a whole stand for the whole of it. */
function ofThisSchema(fields: FieldSet, type: FieldType = leaseType): FieldSet {
  const members = new Set(fields.members);
  const children = new Map<PathElement, FieldSet>();
  for (const [element, child] of fields.children) {
    const below = typeBelow(type, element);
    if (below !== undefined && below.kind !== 'scalar' && isAtomic(below)) members.add(element);
    else children.set(element, below === undefined ? child : ofThisSchema(child, below));
  }
  return new FieldSet(members, children);
}
