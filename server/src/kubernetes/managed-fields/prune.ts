import { isHollow, isList, isObject, objectOr, type Json, type JsonObject } from '../json.js';
import { FieldSet } from './field-set.js';
import { fieldsOf } from './fields-of.js';
import {
  isAtomic,
  leaseType,
  typeBelow,
  typeOfField,
  type FieldType,
  type ListType,
  type MapType,
  type StructType,
} from './lease-type.js';
import { itemsOf } from './list-items.js';
import { fieldElement, type PathElement } from './path-element.js';

/** Who says what about the object that is pruned. */
export interface Claims {
  /** What the one who applies has applied before. */
  readonly before: FieldSet;
  /** What anyone says now, the one who applies too. */
  readonly now: FieldSet;
}

/** The object without the fields that were applied before and that nobody says anything about any more. */
export function prune(object: JsonObject, { before, now }: Claims): JsonObject {
  if (before.isEmpty) return object;
  const whole = withNamedFields(fieldsOf(object));
  const without = remove(object, withNamedFields(before));
  // What went with a field that was applied comes back if someone says something about it, then if it was not applied.
  const claimed = withNamedFields(fieldsOf(without)).union(withNamedFields(now));
  const kept = remove(object, whole.difference(claimed));
  const gone = whole.difference(withNamedFields(fieldsOf(kept))).intersection(withNamedFields(before));
  return remove(object, gone);
}

/** The object without some fields. What loses all that it has stays, empty. */
function remove(object: JsonObject, fields: FieldSet): JsonObject {
  return objectOr(removeFrom(leaseType, object, fields));
}

/** `null`: nothing is left. */
function removeFrom(type: FieldType, value: Json, fields: FieldSet): Json {
  if (type.kind === 'scalar') return value;
  if (isAtomic(type) || isHollow(value)) return null;
  return type.kind === 'list' ? removeItems(type, value, fields) : removeFields(type, value, fields);
}

function removeFields(type: StructType | MapType, value: Json, fields: FieldSet): Json {
  const left: [string, Json][] = [];
  for (const [name, field] of Object.entries(objectOr(value))) {
    const element = fieldElement(name);
    const below = fields.below(element);
    if (fields.members.has(element)) continue;
    left.push([name, below.isEmpty ? field : removeInside(typeOfField(type, name), field, below)]);
  }
  return left.length > 0 ? Object.fromEntries(left) : null;
}

function removeItems(type: ListType, value: Json, fields: FieldSet): Json {
  const left: Json[] = [];
  for (const { element, value: item } of itemsOf(type, value)) {
    const below = fields.below(element);
    if (fields.members.has(element)) continue;
    left.push(below.isEmpty ? item : removeInside(type.of, item, below));
  }
  return left.length > 0 ? left : null;
}

/** What is left of a field that stays itself. An empty list says less than `null` does: nobody can own it. */
function removeInside(type: FieldType | undefined, value: Json, fields: FieldSet): Json {
  const left = type === undefined ? value : removeFrom(type, value, fields);
  if (left !== null) return left;
  if (isList(value)) return [];
  return isObject(value) ? {} : null;
}

/** The set with the fields of structs that lead to its members: they are there because something below them is. */
function withNamedFields(fields: FieldSet): FieldSet {
  return withFieldsOf(leaseType, fields);
}

function withFieldsOf(type: FieldType | undefined, fields: FieldSet): FieldSet {
  if (type === undefined) return fields;
  const members = new Set(fields.members);
  const children = new Map<PathElement, FieldSet>();
  for (const [element, child] of fields.children) {
    const below = typeBelow(type, element);
    if (type.kind === 'struct' && below !== undefined) members.add(element);
    children.set(element, withFieldsOf(below, child));
  }
  return new FieldSet(members, children);
}
