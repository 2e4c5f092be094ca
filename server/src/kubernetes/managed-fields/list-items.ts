import { isList, member, objectOr, type Json } from '../json.js';
import type { ListType } from './lease-type.js';
import { keyElement, valueElement, type PathElement } from './path-element.js';

/** An item of a list that is owned item by item, and the element that leads to it. */
export interface Item {
  readonly element: PathElement;
  readonly value: Json;
}

/** The items of a list; what is no list has none. */
export function itemsOf(type: ListType, list: Json | undefined): Item[] {
  return isList(list) ? list.map((value) => ({ element: elementOf(type, value), value })) : [];
}

/** The items of a list by what tells them apart. Lists that came before anyone looked may have the same item more than once. */
export function itemsByElement(type: ListType, list: Json | undefined): Map<PathElement, Json[]> {
  const found = new Map<PathElement, Json[]>();
  for (const { element, value } of itemsOf(type, list)) {
    if (found.get(element)?.push(value) === undefined) found.set(element, [value]);
  }
  return found;
}

function elementOf({ by }: ListType, item: Json): PathElement {
  if (typeof by !== 'object') return valueElement(item);
  // Kubernetes' types have an empty text where there is none.
  return keyElement({ [by.field]: member(objectOr(item), by.field) ?? '' });
}
