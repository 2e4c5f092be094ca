import { isList, isObject, member, sameJson, type Json, type JsonObject } from '../json.js';
import { badRequest } from '../status.js';
import { patchFailed, patchRefused } from './errors.js';
import { goText, goType } from '../go-types.js';

/** How a strategic merge patch treats a list: one of objects that a key tells apart, or one of values. */
export interface ListStrategy {
  /** `undefined`: a list of values. */
  readonly key: string | undefined;
  /** Merges two objects of the list. */
  readonly mergeItems: (item: JsonObject, patch: JsonObject) => Json;
}

/** A list with the items of the patch put into it: those that it has are merged, others are added, in the order of the patch. */
export function mergeList(list: readonly Json[], patch: readonly Json[], strategy: ListStrategy): readonly Json[] {
  if (list.length === 0 && patch.length === 0) return list;
  if (!isListOfObjects([list, patch])) return inOrder([...list, ...patch], { first: patch, then: list, key: undefined });
  const { key } = strategy;
  if (key === undefined) throw patchFailed('cannot merge lists without merge key for string');
  const { from, additions } = withoutDirectives(list, patch, key);
  const items = [...from];
  for (const addition of additions) {
    const place = placeOf(items, keyOf(addition, key), key);
    const item = items[place];
    if (item === undefined) items.push(addition);
    else items[place] = strategy.mergeItems(item as JsonObject, addition);
  }
  return inOrder(items, { first: additions, then: from, key });
}

/** A list without some of its values. */
export function withoutValues(list: readonly Json[], values: readonly Json[]): readonly Json[] {
  if (list.length === 0 && values.length === 0) return list;
  isListOfObjects([list, values]);
  return list.filter((value) => !values.some((other) => sameJson(value, other)));
}

/** Which order items come in. Items of neither list have no place of their own. */
export interface Order {
  /** The order that is asked for. */
  readonly first: readonly Json[];
  /** The order of what is not in the first. */
  readonly then: readonly Json[];
  readonly key: string | undefined;
}

/**
 * Items in the order that is asked for. The others keep theirs, each as far in front as its place in the old list says.
 */
export function inOrder(items: readonly Json[], { first, then, key }: Order): Json[] {
  if (key !== undefined) for (const item of items) checkKey(item, key);
  const asked = unique(items, key).filter((item) => placeIn(first, item, key) >= 0);
  const rest = unique(items, key).filter((item) => placeIn(first, item, key) < 0);
  asked.sort((left, right) => placeIn(first, left, key) - placeIn(first, right, key));
  rest.sort((left, right) => placeIn(then, left, key) - placeIn(then, right, key));
  const ordered: Json[] = [];
  for (const item of asked) {
    const place = placeIn(then, item, key);
    while (rest[0] !== undefined && placeIn(then, rest[0], key) < place) ordered.push(...rest.splice(0, 1));
    ordered.push(item);
  }
  return [...ordered, ...rest];
}

/** Refuses a patch whose items are not in the order that it asks for itself. */
export function checkOrder(patch: readonly Json[], order: readonly Json[], key: string | undefined): void {
  if (patch.length === 0 || order.length === 0) return;
  const left = patch.filter((item) => !isObject(item) || !Object.hasOwn(item, '$patch'));
  for (const item of order) {
    if (left[0] !== undefined && sameItem(left[0], item, key)) left.shift();
  }
  if (left.length === 0) return;
  throw patchFailed(`The order in patch list:\n${goText(patch)}\n doesn't match $setElementOrder list:\n${goText(order)}\n`);
}

/** Whether lists, which have something in them, are of objects. Lists of both are nothing that can be merged. */
function isListOfObjects(lists: readonly (readonly Json[])[]): boolean {
  const all = lists.flat();
  if (all.some(isList)) throw patchRefused();
  const types = new Set(all.map(goType));
  if (types.size > 1) throw patchFailed(`list element types are not identical: ${goText(lists)}`);
  if (types.size === 0) throw patchFailed('no elements in any of the given slices');
  return all.every(isObject);
}

/** `$setElementOrder` and its like want a list. */
export function listOr(value: Json, why: string): readonly Json[] {
  if (!isList(value)) throw badRequest(why);
  return value;
}

/** The key of an object in a list. */
function keyOf(item: JsonObject, key: string): Json {
  const value = member(item, key);
  if (value === undefined) throw patchFailed(`map: ${goText(item)} does not contain declared merge key: ${key}`);
  return value;
}

interface Merging {
  readonly from: readonly Json[];
  readonly additions: readonly JsonObject[];
}

/** What is left of both lists once the items that say `$patch` have been heeded. */
function withoutDirectives(list: readonly Json[], patch: readonly Json[], key: string): Merging {
  let from = list;
  let replaced = false;
  const additions: JsonObject[] = [];
  for (const item of patch as readonly JsonObject[]) {
    const directive = member(item, '$patch');
    if (directive === undefined) additions.push(item);
    else if (directive === 'delete') from = deleteItem(from, item, key);
    else if (directive === 'replace') replaced = true;
    else if (directive === 'merge') throw patchFailed('merging lists cannot yet be specified in the patch');
    else throw unknownDirective(directive, item);
  }
  return replaced ? { from: additions, additions: [] } : { from, additions };
}

/** 500: a `$patch` that means nothing. */
export function unknownDirective(directive: Json, patch: JsonObject): Error {
  return patchFailed(`unknown patch type: ${goText(directive)} in map: ${goText(patch)}`);
}

function deleteItem(list: readonly Json[], item: JsonObject, key: string): readonly Json[] {
  const gone = keyOf(item, key);
  return list.filter((other) => !isObject(other) || !sameJson(member(other, key), gone));
}

function placeOf(items: readonly Json[], value: Json, key: string): number {
  return items.findIndex((item) => isObject(item) && sameJson(member(item, key), value));
}

function placeIn(list: readonly Json[], item: Json, key: string | undefined): number {
  return list.findIndex((other) => sameItem(item, other, key));
}

function sameItem(left: Json, right: Json, key: string | undefined): boolean {
  if (key === undefined) return sameJson(left, right);
  return sameJson(checkKey(left, key), checkKey(right, key));
}

function checkKey(item: Json, key: string): Json {
  if (!isObject(item)) throw patchFailed(`expected a map[string]interface {}, but received a ${goType(item)}`);
  return keyOf(item, key);
}

/** Values once each; objects are told apart elsewhere. */
function unique(items: readonly Json[], key: string | undefined): Json[] {
  return key === undefined ? items.filter((item, index) => placeIn(items, item, key) === index) : [...items];
}
