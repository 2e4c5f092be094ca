import { goJson, isList, isObject, member, sameJson, type Json, type JsonObject } from '../json.js';
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
  const places = placesByKey(items, key);
  for (const addition of additions) {
    const text = goJson(keyOf(addition, key));
    const place = places.get(text);
    if (place === undefined) places.set(text, items.push(addition) - 1);
    else items[place] = strategy.mergeItems(items[place] as JsonObject, addition);
  }
  return inOrder(items, { first: additions, then: from, key });
}

/** A list without some of its values. */
export function withoutValues(list: readonly Json[], values: readonly Json[]): readonly Json[] {
  if (list.length === 0 && values.length === 0) return list;
  isListOfObjects([list, values]);
  const gone = new Set(values.map(goJson));
  return list.filter((value) => !gone.has(goJson(value)));
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
  const [wanted, kept] = [new Places(first, key), new Places(then, key)];
  const asked = unique(items, key).filter((item) => wanted.of(item) >= 0);
  const rest = unique(items, key).filter((item) => wanted.of(item) < 0);
  asked.sort((left, right) => wanted.of(left) - wanted.of(right));
  rest.sort((left, right) => kept.of(left) - kept.of(right));
  const ordered: Json[] = [];
  let next = 0;
  for (const item of asked) {
    const place = kept.of(item);
    for (let other = rest[next]; other !== undefined && kept.of(other) < place; other = rest[++next]) ordered.push(other);
    ordered.push(item);
  }
  return [...ordered, ...rest.slice(next)];
}

/** Refuses a patch whose items are not in the order that it asks for itself. */
export function checkOrder(patch: readonly Json[], order: readonly Json[], key: string | undefined): void {
  if (patch.length === 0 || order.length === 0) return;
  const left = patch.filter((item) => !isObject(item) || !Object.hasOwn(item, '$patch'));
  let next = 0;
  for (const item of order) {
    const expected = left[next];
    if (expected !== undefined && sameItem(expected, item, key)) next += 1;
  }
  if (next === left.length) return;
  throw patchFailed(`The order in patch list:\n${goText(patch)}\n doesn't match $setElementOrder list:\n${goText(order)}\n`);
}

/** Refuses lists that Kubernetes cannot tell the type of: of several types, or with nothing in them. */
export function checkElements(lists: readonly (readonly Json[])[]): void {
  isListOfObjects(lists);
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
  const gone = new Set<string>();
  let replaced = false;
  const additions: JsonObject[] = [];
  for (const item of patch as readonly JsonObject[]) {
    const directive = member(item, '$patch');
    if (directive === undefined) additions.push(item);
    else if (directive === 'delete') gone.add(goJson(keyOf(item, key)));
    else if (directive === 'replace') replaced = true;
    else if (directive === 'merge') throw patchFailed('merging lists cannot yet be specified in the patch');
    else throw unknownDirective(directive, item);
  }
  if (replaced) return { from: additions, additions: [] };
  const from = list.filter((item) => {
    const value = isObject(item) ? member(item, key) : undefined;
    return value === undefined || !gone.has(goJson(value));
  });
  return { from, additions };
}

/** 500: a `$patch` that means nothing. */
export function unknownDirective(directive: Json, patch: JsonObject): Error {
  return patchFailed(`unknown patch type: ${goText(directive)} in map: ${goText(patch)}`);
}

/** Where the first item of each key stands. */
function placesByKey(items: readonly Json[], key: string): Map<string, number> {
  const places = new Map<string, number>();
  for (const [index, item] of items.entries()) {
    const value = isObject(item) ? member(item, key) : undefined;
    if (value !== undefined && !places.has(goJson(value))) places.set(goJson(value), index);
  }
  return places;
}

/** Where the items of a list stand first. It is looked at from its beginning as far as it takes, and no item of it twice. */
class Places {
  readonly #list: readonly Json[];
  readonly #key: string | undefined;
  readonly #known = new Map<string, number>();
  #next = 0;

  constructor(list: readonly Json[], key: string | undefined) {
    this.#list = list;
    this.#key = key;
  }

  /** -1: nowhere. */
  of(item: Json): number {
    const text = this.#textOf(item);
    for (; !this.#known.has(text) && this.#next < this.#list.length; this.#next += 1) {
      const other = this.#textOf(this.#list[this.#next] ?? null);
      if (!this.#known.has(other)) this.#known.set(other, this.#next);
    }
    return this.#known.get(text) ?? -1;
  }

  #textOf(item: Json): string {
    return goJson(this.#key === undefined ? item : checkKey(item, this.#key));
  }
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
  if (key !== undefined) return [...items];
  const places = new Places(items, key);
  return items.filter((item, index) => places.of(item) === index);
}
