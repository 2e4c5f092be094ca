import { goSyntax, goText, goType } from '../go-types.js';
import { isList, isObject, type Json, type JsonObject } from '../json.js';
import {
  isAtomic,
  leaseType,
  typeOfField,
  type FieldType,
  type ListType,
  type MapType,
  type ScalarType,
  type StructType,
} from './lease-type.js';
import { itemsByElement } from './list-items.js';
import { showElement } from './path-element.js';

/** Why something cannot be applied to a lease, in the words of Kubernetes; `undefined`: it can. */
export function whyNotApplicable(applied: Json): string | undefined {
  const faults = faultsOf(leaseType, applied, '');
  return faults.length > 1 ? ['errors:', ...faults.map((fault) => `  ${fault}`)].join('\n') : faults[0];
}

function faultsOf(type: FieldType, value: Json, path: string): string[] {
  if (value === null) return [];
  switch (type.kind) {
    case 'scalar':
      return faultsOfScalar(type, value, path);
    case 'list':
      return isList(value) ? faultsOfItems(type, value, path) : [fault(path, `expected list, got ${shown(value)}`)];
    case 'struct':
    case 'map':
      return isObject(value) ? faultsOfFields(type, value, path) : [fault(path, `expected map, got ${shown(value)}`)];
  }
}

function faultsOfScalar({ of }: ScalarType, value: Json, path: string): string[] {
  if (of === 'any') return typeof value === 'object' ? [fault(path, `expected any scalar, got ${shown(value)}`)] : [];
  if (typeof value === of) return [];
  return [fault(path, `expected ${wantedScalars[of](value)}`)];
}

function faultsOfFields(type: StructType | MapType, value: JsonObject, path: string): string[] {
  return Object.entries(value).flatMap(([name, field]) => {
    const below = `${path}.${name}`;
    const declared = typeOfField(type, name);
    return declared === undefined ? [fault(below, 'field not declared in schema')] : faultsOf(declared, field, below);
  });
}

function faultsOfItems(type: ListType, list: readonly Json[], path: string): string[] {
  if (isAtomic(type)) return [];
  for (const [index, item] of list.entries()) {
    const why = whyNoItem(type, item);
    if (why !== undefined) return [fault(path, `element ${index}: ${why}`)];
  }
  return [...itemsByElement(type, list)].flatMap(([element, [first, ...others]]) => {
    const twice = others.map(() => fault(path, `duplicate entries for key ${showElement(element)}`));
    return [...twice, ...faultsOf(type.of, first ?? null, `${path}${showElement(element)}`)];
  });
}

function whyNoItem({ by }: ListType, item: Json): string | undefined {
  if (typeof by === 'object') {
    if (item === null) return 'associative list with keys may not have a null element';
    return isObject(item) ? undefined : 'associative list with keys may not have non-map elements';
  }
  if (item === null) return "associative list without keys has an element that's an explicit null";
  if (isList(item)) return 'not supported: associative list with lists as elements';
  return isObject(item) ? "associative list without keys has an element that's a map type" : undefined;
}

function fault(path: string, why: string): string {
  return path === '' ? why : `${path}: ${why}`;
}

/** What a scalar has to be, and what it is. */
const wantedScalars = {
  string: (value: Json) => `string, got &value.valueUnstructured{Value:${goSyntax(value)}}`,
  number: (value: Json) => `numeric (int or float), got ${goType(value)}`,
  boolean: (value: Json) => `boolean, got ${shown(value)}`,
} as const;

function shown(value: Json): string {
  return `&{${goText(value)}}`;
}
