import { isHollow, member, objectOr, type Json, type JsonObject } from '../json.js';
import { isAtomic, leaseType, typeOfField, type FieldType, type ListType, type MapType, type StructType } from './lease-type.js';
import { itemsOf, type Item } from './list-items.js';
import type { PathElement } from './path-element.js';

/** The live object with what is applied laid over it. Nothing is taken away. */
export function merge(live: JsonObject, applied: JsonObject): JsonObject {
  return objectOr(mergeValues(leaseType, live, applied));
}

/** `undefined`: there is no such field. */
function mergeValues(type: FieldType, live: Json | undefined, applied: Json | undefined): Json | undefined {
  if (type.kind === 'scalar' || isAtomic(type) || (isHollow(live) && isHollow(applied))) {
    return applied === undefined ? live : applied;
  }
  return type.kind === 'list' ? mergeLists(type, live, applied) : mergeObjects(type, live, applied);
}

function mergeObjects(type: StructType | MapType, live: Json | undefined, applied: Json | undefined): JsonObject {
  const from = objectOr(live);
  const over = objectOr(applied);
  const merged: [string, Json][] = [];
  for (const name of new Set([...Object.keys(from), ...Object.keys(over)])) {
    const below = typeOfField(type, name);
    const value = below && mergeValues(below, member(from, name), member(over, name));
    if (value !== undefined) merged.push([name, value]);
  }
  return Object.fromEntries(merged);
}

/**
 * Items that both lists have come in the order of what is applied; those that only the live list has stay where they are among them
 * as far as that goes. An item that the live list has twice is replaced by the one that is applied.
 */
function mergeLists(type: ListType, liveList: Json | undefined, appliedList: Json | undefined): Json[] {
  const live = itemsOf(type, liveList);
  const applied = itemsOf(type, appliedList);
  const liveValues = onlyOnes(live);
  const wanted = new Set(applied.map(({ element }) => element));
  const shared = applied.map(({ element }) => element).filter((element) => liveValues.has(element));
  const done = new Set<PathElement>();
  const merged: Json[] = [];
  const take = ({ element, value }: Item): void => {
    const both = mergeValues(type.of, liveValues.get(element), value);
    if (both !== undefined) merged.push(both);
    done.add(element);
    if (shared[0] === element) shared.shift();
  };
  let next = 0;
  for (const item of live) {
    if (!wanted.has(item.element)) {
      merged.push(item.value);
      continue;
    }
    // What comes before this item in the applied list and is not live yet goes in front of it, once its turn has come.
    if (done.has(item.element) || item.element !== shared[0]) continue;
    for (let at = applied[next]; at !== undefined && !done.has(item.element); at = applied[++next]) take(at);
  }
  for (const item of applied.slice(next)) take(item);
  return merged;
}

/** The items of a list by element; `null` for those that it has more than once. */
function onlyOnes(items: readonly Item[]): Map<PathElement, Json> {
  const found = new Map<PathElement, Json>();
  for (const { element, value } of items) found.set(element, found.has(element) ? null : value);
  return found;
}
