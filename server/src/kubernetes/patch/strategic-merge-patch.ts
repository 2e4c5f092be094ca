import { goQuote } from '../codec/go-quote.js';
import { isList, isObject, member, type Json, type JsonObject } from '../json.js';
import type { LeaseObject } from '../lease-object.js';
import { badRequest } from '../status.js';
import { patchFailed } from './errors.js';
import { goType, jsonType } from '../go-types.js';
import {
  checkElements,
  checkOrder,
  inOrder,
  listOr,
  mergeList,
  unknownDirective,
  withoutValues,
  type ListStrategy,
} from './strategic-lists.js';

/**
 * The object after a strategic merge patch: as a merge patch, but owner references are merged by their uid and finalizers as a set, and
 * `$patch`, `$retainKeys`, `$setElementOrder/…` and `$deleteFromPrimitiveList/…` say what a merge patch cannot. What comes out may
 * be anything: read it as a lease before use.
 *
 * @param patch as parsed.
 * @throws {StatusError} 400, 422 or 500, as kube-apiserver has it: the patch makes no sense.
 */
export function applyStrategicMergePatch(object: LeaseObject, patch: unknown): Json {
  const changes = patch as Json;
  if (changes === null) return object as unknown as Json;
  if (!isObject(changes)) {
    throw badRequest(`json: cannot unmarshal ${jsonType(changes)} into Go value of type map[string]interface {}`);
  }
  return mergeObjects(object as unknown as JsonObject, changes);
}

const orderPrefix = '$setElementOrder/';
const deletionPrefix = '$deleteFromPrimitiveList/';
const badOrder = 'invalid patch format of setElementOrder list';
const badDeletion = 'invalid patch format of primitive list';
const badRetainKeys = 'invalid patch format of retainKeys';

/** The lists that are merged. All others are replaced. */
const strategies: ReadonlyMap<string, ListStrategy> = new Map([
  ['ownerReferences', { key: 'uid', mergeItems: mergeObjects }],
  ['finalizers', { key: undefined, mergeItems: mergeObjects }],
]);

/** An object that is being merged. */
type Merging = Map<string, Json>;

function mergeObjects(object: JsonObject, patch: JsonObject): JsonObject {
  const directive = member(patch, '$patch');
  if (directive === 'delete') return {};
  if (directive === 'replace') return without(patch, ['$patch']);
  if (directive !== undefined) throw unknownDirective(directive, patch);
  const merging: Merging = new Map(Object.entries(retained(object, patch)));
  const ordered = orderLists(merging, patch);
  for (const [key, value] of Object.entries(without(patch, ['$retainKeys', ...ordered]))) {
    if (key.startsWith('$deleteFromPrimitiveList')) deleteValues(merging, key, value);
    else setMember(merging, key, value);
  }
  return Object.fromEntries(merging);
}

function setMember(merging: Merging, key: string, patch: Json): void {
  const value = merging.get(key);
  if (patch === null) merging.delete(key);
  else if (isObject(value) && isObject(patch)) merging.set(key, mergeObjects(value, patch));
  else if (isList(value) && isList(patch)) merging.set(key, mergeLists(key, value, patch));
  else setNew(merging, key, patch);
}

/** What replaces something of another type, or nothing, is taken without what it says to a merge. */
function setNew(merging: Merging, key: string, patch: Json): void {
  const value = plain(patch);
  if (value === undefined) merging.delete(key);
  else merging.set(key, value);
}

function mergeLists(key: string, list: readonly Json[], patch: readonly Json[]): readonly Json[] {
  const strategy = strategies.get(key);
  return strategy === undefined ? patch : mergeList(list, patch, strategy);
}

function deleteValues(merging: Merging, directive: string, values: Json): void {
  if (!directive.startsWith(deletionPrefix)) throw badRequest(badDeletion);
  const key = directive.slice(deletionPrefix.length);
  const list = merging.get(key);
  if (values === null) merging.delete(key);
  else if (isList(list) && isList(values)) merging.set(key, withoutValues(list, values));
}

/** The object with only the members that `$retainKeys` names, if it is there. */
function retained(object: JsonObject, patch: JsonObject): JsonObject {
  const directive = member(patch, '$retainKeys');
  if (directive === undefined) return object;
  const names = new Set(listOr(directive, badRetainKeys));
  for (const [key, value] of Object.entries(patch)) {
    const counts = value !== null && key !== '$retainKeys' && !key.startsWith(deletionPrefix) && !key.startsWith(orderPrefix);
    if (counts && !names.has(key)) throw badRequest(badRetainKeys);
  }
  return Object.fromEntries(Object.entries(object).filter(([key]) => names.has(key)));
}

/** Merges the lists that `$setElementOrder` speaks of, and says which members of the patch are thereby done. */
function orderLists(merging: Merging, patch: JsonObject): string[] {
  return Object.entries(patch)
    .filter(([directive]) => directive.startsWith('$setElementOrder'))
    .flatMap(([directive, value]) => {
      if (!directive.startsWith(orderPrefix)) throw badRequest(badOrder);
      const key = directive.slice(orderPrefix.length);
      orderList(merging, key, { order: listOf(value), patch: member(patch, key) });
      return [directive, key];
    });
}

function orderList(merging: Merging, key: string, asked: { order: readonly Json[]; patch: Json | undefined }): void {
  const list = merging.get(key);
  const strategy = strategies.get(key);
  if (strategy === undefined)
    throw patchFailed(`unable to find api field in struct ObjectMeta for the json field ${goQuote(key)}`);
  const patch = asked.patch === undefined ? undefined : listOf(asked.patch);
  checkOrder(patch ?? [], asked.order, strategy.key);
  if (list === undefined && patch === undefined) return;
  const from = list === undefined ? undefined : listOf(list);
  const merged = mergedOrNew(from, patch, strategy);
  const ordered = inOrder(merged, { first: asked.order, then: from ?? [], key: strategy.key });
  checkElements([from ?? [], patch ?? []]);
  merging.set(key, ordered);
}

function mergedOrNew(
  list: readonly Json[] | undefined,
  patch: readonly Json[] | undefined,
  strategy: ListStrategy,
): readonly Json[] {
  if (patch === undefined) return list ?? [];
  return list === undefined ? listOf(plain(patch) ?? []) : mergeList(list, patch, strategy);
}

function listOf(value: Json): readonly Json[] {
  if (!isList(value))
    throw patchFailed(`expected a []interface {}, but received a ${value === null ? '%!s(<nil>)' : goType(value)}`);
  return value;
}

/** A value without `null`s and without what is only said to a merge. `undefined`: nothing is left. */
function plain(value: Json): Json | undefined {
  if (isList(value)) return value.map(plain).filter((item) => item !== undefined);
  if (!isObject(value)) return value;
  if (Object.hasOwn(value, '$patch')) return undefined;
  const entries = Object.entries(value).map(([key, field]) => [key, field === null ? undefined : plain(field)] as const);
  return Object.fromEntries(entries.filter((entry): entry is [string, Json] => entry[1] !== undefined));
}

function without(object: JsonObject, keys: readonly string[]): JsonObject {
  return Object.fromEntries(Object.entries(object).filter(([key]) => !keys.includes(key)));
}
