import { goQuote } from '../codec/go-quote.js';
import { goJson, isObject, type Json, type JsonObject } from '../json.js';

/** One step into an object, in the words of FieldsV1: `f:name` a field, `k:{"uid":"…"}` and `v:"…"` an item of a list, `i:0` its place. */
export type PathElement = string;

/** The way to a field, from the root of the object. */
export type FieldPath = readonly PathElement[];

export function fieldElement(name: string): PathElement {
  return `f:${name}`;
}

/** The item of a list that has these values in its key fields. */
export function keyElement(fields: JsonObject): PathElement {
  return `k:${goJson(fields)}`;
}

/** The item of a set. */
export function valueElement(value: Json): PathElement {
  return `v:${goJson(value)}`;
}

/**
 * An element as someone has written it, in the one way that this file writes it; `undefined`: of a kind that is not known here.
 *
 * @throws {SyntaxError} it is none.
 */
export function readElement(text: string): PathElement | undefined {
  const rest = text.slice(2);
  if (text[1] !== ':') throw new SyntaxError(`missing colon: ${text}`);
  switch (text[0]) {
    case 'f':
      return text;
    case 'k': {
      const fields = JSON.parse(rest) as Json;
      if (!isObject(fields)) throw new SyntaxError(`a key without fields: ${text}`);
      return keyElement(fields);
    }
    case 'v':
      return valueElement(JSON.parse(rest) as Json);
    case 'i':
      if (!/^[+-]?\d+$/.test(rest)) throw new SyntaxError(`no index: ${text}`);
      return `i:${Number(rest)}`;
    default:
      return undefined;
  }
}

/** The order in which FieldsV1 lists elements: fields, keys, values, indices. */
export function compareElements(left: PathElement, right: PathElement): number {
  const byKind = kinds.indexOf(left.charAt(0)) - kinds.indexOf(right.charAt(0));
  if (byKind !== 0) return byKind;
  if (left.startsWith('f')) return compareText(left, right);
  return compareValues(JSON.parse(left.slice(2)) as Json, JSON.parse(right.slice(2)) as Json);
}

/** A path as people read it: `.metadata.ownerReferences[uid="…"]`. */
export function showPath(path: FieldPath): string {
  return path.map(showElement).join('');
}

/** An element as people read it. */
export function showElement(element: PathElement): string {
  const rest = element.slice(2);
  if (element.startsWith('f')) return `.${rest}`;
  if (element.startsWith('i')) return `[${rest}]`;
  const value = JSON.parse(rest) as Json;
  if (element.startsWith('v') || !isObject(value)) return `[=${showValue(value)}]`;
  const fields = Object.entries(value).map(([name, field]) => `${name}=${showValue(field)}`);
  return `[${fields.join(',')}]`;
}

function showValue(value: Json): string {
  return typeof value === 'string' ? goQuote(value) : JSON.stringify(value);
}

const kinds = 'fkvi';

/** Numbers, texts, booleans, then what no list here has as a key; objects by their first difference. */
function compareValues(left: Json, right: Json): number {
  if (typeof left === 'number' && typeof right === 'number') return left - right;
  if (typeof left === 'string' && typeof right === 'string') return compareText(left, right);
  if (isObject(left) && isObject(right)) return compareFields(Object.entries(left), Object.entries(right));
  return types.indexOf(typeof left) - types.indexOf(typeof right) || compareText(JSON.stringify(left), JSON.stringify(right));
}

function compareFields(left: readonly [string, Json][], right: readonly [string, Json][]): number {
  for (const [index, [name, value]] of left.entries()) {
    const other = right[index];
    if (other === undefined) return 1;
    const difference = compareText(name, other[0]) || compareValues(value, other[1]);
    if (difference !== 0) return difference;
  }
  return left.length - right.length;
}

const types = ['number', 'string', 'boolean', 'object'];

function compareText(left: string, right: string): number {
  if (left === right) return 0;
  return left < right ? -1 : 1;
}
