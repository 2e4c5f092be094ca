import { compare } from './compare.js';
import { FieldSet } from './field-set.js';
import type { Managers } from './managers.js';
import { fieldElement } from './path-element.js';
import type { JsonObject } from '../json.js';

/** A change of an object, in normal form, and who makes it. */
export interface Change {
  readonly before: JsonObject;
  readonly after: JsonObject;
  /** The identity of the one who makes it. */
  readonly by: string;
}

/** What a change does to the fields of managers. */
export interface Transfer {
  /** The other managers who keep something. */
  readonly others: Managers;
  /** The fields that the change takes from others, by their identity. */
  readonly taken: ReadonlyMap<string, FieldSet>;
  /** The fields that got a value. */
  readonly written: FieldSet;
  /** The fields that are there no more. */
  readonly removed: FieldSet;
}

/** What a change takes from the managers that there are. */
export function transfer(managers: Managers, { before, after, by }: Change): Transfer {
  const { added, modified, removed } = compare(before, after);
  const written = modified.union(added);
  const others: Managers = new Map();
  const taken = new Map<string, FieldSet>();
  for (const [identity, manager] of managers) {
    if (identity === by) continue;
    const lost = manager.fields.intersection(written);
    if (!lost.isEmpty) taken.set(identity, lost);
    const fields = manager.fields.difference(lost).difference(removed);
    if (!fields.isEmpty) others.set(identity, { ...manager, fields });
  }
  return { others, taken, written, removed };
}

/** The set without the fields that nobody owns, because the server writes them or because they say which object it is. */
export function withoutUnowned(fields: FieldSet): FieldSet {
  return fields.difference(unowned);
}

const metadata = fieldElement('metadata');

const unowned = FieldSet.of([
  [fieldElement('apiVersion')],
  [fieldElement('kind')],
  [metadata],
  ...['name', 'namespace', 'creationTimestamp', 'selfLink', 'uid', 'generation', 'managedFields', 'resourceVersion'].map(
    (name) => [metadata, fieldElement(name)],
  ),
]);
