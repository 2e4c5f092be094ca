import { isHollow, member, objectOr, sameJson, type Json, type JsonObject } from '../json.js';
import { FieldSet } from './field-set.js';
import { isAtomic, leaseType, typeOfField, type FieldType, type ListType, type MapType, type StructType } from './lease-type.js';
import { itemsByElement } from './list-items.js';
import { fieldElement, type FieldPath } from './path-element.js';

/** What sets one object apart from another, field by field. */
export interface Comparison {
  /** Fields that only the first object has. */
  readonly removed: FieldSet;
  /** Fields that both have, with different values. */
  readonly modified: FieldSet;
  /** Fields that only the second object has. */
  readonly added: FieldSet;
}

/** Compares two leases in their normal form. */
export function compare(before: JsonObject, after: JsonObject): Comparison {
  const walk = new Walk();
  walk.visit(leaseType, { before, after }, []);
  return { removed: FieldSet.of(walk.removed), modified: FieldSet.of(walk.modified), added: FieldSet.of(walk.added) };
}

/** The two values of a field. `undefined`: there is none; at least one is there. */
interface Pair {
  readonly before: Json | undefined;
  readonly after: Json | undefined;
}

class Walk {
  readonly removed: FieldPath[] = [];
  readonly modified: FieldPath[] = [];
  readonly added: FieldPath[] = [];

  visit(type: FieldType, pair: Pair, path: FieldPath): void {
    if (type.kind === 'scalar' || isAtomic(type) || (isHollow(pair.before) && isHollow(pair.after))) {
      this.#note(pair, path, !sameJson(pair.before, pair.after));
      return;
    }
    if (type.kind === 'list') this.#visitItems(type, pair, path);
    else this.#visitFields(type, pair, path);
    this.#note(pair, path, false);
  }

  #note({ before, after }: Pair, path: FieldPath, differs: boolean): void {
    if (before === undefined) this.added.push(path);
    else if (after === undefined) this.removed.push(path);
    else if (differs) this.modified.push(path);
  }

  #visitFields(type: StructType | MapType, pair: Pair, path: FieldPath): void {
    const before = objectOr(pair.before);
    const after = objectOr(pair.after);
    for (const name of new Set([...Object.keys(before), ...Object.keys(after)])) {
      const below = typeOfField(type, name);
      if (below === undefined) continue;
      this.visit(below, { before: member(before, name), after: member(after, name) }, [...path, fieldElement(name)]);
    }
  }

  #visitItems(type: ListType, pair: Pair, path: FieldPath): void {
    const before = itemsByElement(type, pair.before);
    const after = itemsByElement(type, pair.after);
    for (const element of new Set([...before.keys(), ...after.keys()])) {
      this.#visitItem(type.of, { before: before.get(element) ?? [], after: after.get(element) ?? [] }, [...path, element]);
    }
  }

  /** Items that are there twice are one thing that is not looked into. */
  #visitItem(type: FieldType, { before, after }: { before: readonly Json[]; after: readonly Json[] }, path: FieldPath): void {
    if (before.length > 1 && after.length > 1) {
      if (!sameJson(before, after)) this.modified.push(path);
    } else if (before.length > 1) {
      if (after.length > 0) this.visit(type, { before: undefined, after: after[0] }, path);
      this.removed.push(path);
    } else if (after.length > 1) {
      if (before.length > 0) this.visit(type, { before: before[0], after: undefined }, path);
      this.added.push(path);
    } else {
      this.visit(type, { before: before[0], after: after[0] }, path);
    }
  }
}
