import { isObject, objectOr, type Json } from '../json.js';
import { FieldSet } from './field-set.js';
import { isAtomic, leaseType, typeOfField, type FieldType, type ListType, type MapType, type StructType } from './lease-type.js';
import { itemsByElement } from './list-items.js';
import { fieldElement, type FieldPath } from './path-element.js';

/** The fields that an object, or a part of one that is applied, says something about. */
export function fieldsOf(object: Json): FieldSet {
  const paths: FieldPath[] = [];
  collect(leaseType, object, [], paths);
  return FieldSet.of(paths);
}

function collect(type: FieldType, value: Json, path: FieldPath, paths: FieldPath[]): void {
  if (type.kind === 'scalar' || isAtomic(type)) paths.push(path);
  else if (type.kind === 'list') collectItems(type, value, path, paths);
  else collectFields(type, value, path, paths);
}

function collectFields(type: StructType | MapType, value: Json, path: FieldPath, paths: FieldPath[]): void {
  for (const [name, field] of Object.entries(objectOr(value))) {
    const below = [...path, fieldElement(name)];
    const declared = typeOfField(type, name);
    if (declared !== undefined) collect(declared, field, below, paths);
    // A struct counts by its fields, unless it has none.
    if (field === null || isEmptyObject(field)) paths.push(below);
  }
}

function collectItems(type: ListType, value: Json, path: FieldPath, paths: FieldPath[]): void {
  for (const [element, [first, ...others]] of itemsByElement(type, value)) {
    const below = [...path, element];
    if (first !== undefined && others.length === 0) collect(type.of, first, below, paths);
    paths.push(below);
  }
}

function isEmptyObject(value: Json): boolean {
  return isObject(value) && Object.keys(value).length === 0;
}
