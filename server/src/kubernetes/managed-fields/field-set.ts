import { isObject, type Json, type JsonObject } from '../json.js';
import type { FieldsV1 } from '../lease-object.js';
import { compareElements, readElement, type FieldPath, type PathElement } from './path-element.js';

/**
 * A set of fields of an object. A field and the fields below it are members each for itself: `.metadata.labels` says nothing about
 * `.metadata.labels.a`. The root is never a member.
 */
export class FieldSet {
  static readonly empty: FieldSet = new FieldSet(new Set(), new Map());

  readonly #members: ReadonlySet<PathElement>;
  /** None of them is empty. */
  readonly #children: ReadonlyMap<PathElement, FieldSet>;
  #fieldsV1: FieldsV1 | undefined;

  constructor(members: ReadonlySet<PathElement>, children: ReadonlyMap<PathElement, FieldSet>) {
    this.#members = members;
    this.#children = withoutEmpty(children);
  }

  /** The set of these fields. */
  static of(paths: Iterable<FieldPath>): FieldSet {
    const members = new Set<PathElement>();
    const below = new Map<PathElement, FieldPath[]>();
    for (const [first, ...rest] of paths) {
      if (first === undefined) continue;
      if (rest.length === 0) members.add(first);
      else if (below.get(first)?.push(rest) === undefined) below.set(first, [rest]);
    }
    return new FieldSet(
      members,
      mapValues(below, (rests) => FieldSet.of(rests)),
    );
  }

  /**
   * The set that FieldsV1 describes. Elements of a kind that is not known are left out.
   *
   * @throws {SyntaxError} it does not describe one.
   */
  static fromFieldsV1(fields: Json | undefined): FieldSet {
    const members = new Set<PathElement>();
    const children = new Map<PathElement, FieldSet>();
    for (const [text, below] of Object.entries(readNode(fields ?? null))) {
      if (text === '.') continue;
      const element = readElement(text);
      if (element === undefined) continue;
      const child = FieldSet.fromFieldsV1(below);
      if (child.isEmpty || '.' in readNode(below)) members.add(element);
      if (!child.isEmpty) children.set(element, child);
    }
    return new FieldSet(members, children);
  }

  get isEmpty(): boolean {
    return this.#members.size === 0 && this.#children.size === 0;
  }

  /** The members of the top level. */
  get members(): ReadonlySet<PathElement> {
    return this.#members;
  }

  /** The sets below the elements of the top level that have one. */
  get children(): ReadonlyMap<PathElement, FieldSet> {
    return this.#children;
  }

  /** The fields below an element. */
  below(element: PathElement): FieldSet {
    return this.#children.get(element) ?? FieldSet.empty;
  }

  has([first, ...rest]: FieldPath): boolean {
    if (first === undefined) return false;
    return rest.length === 0 ? this.#members.has(first) : this.below(first).has(rest);
  }

  /** The fields of both. The set itself, if the other one adds nothing. */
  union(other: FieldSet): FieldSet {
    if (this.isEmpty) return other;
    if (this.contains(other)) return this;
    const children = new Map(this.#children);
    for (const [element, child] of other.#children) children.set(element, this.below(element).union(child));
    return new FieldSet(new Set([...this.#members, ...other.#members]), children);
  }

  intersection(other: FieldSet): FieldSet {
    const members = new Set([...this.#members].filter((element) => other.#members.has(element)));
    return new FieldSet(
      members,
      mapValues(this.#children, (child, element) => child.intersection(other.below(element))),
    );
  }

  /** The fields that are here and not in the other set: what is below a field of the other set stays. The set itself, if all stay. */
  difference(other: FieldSet): FieldSet {
    if (!this.meets(other)) return this;
    const members = new Set([...this.#members].filter((element) => !other.#members.has(element)));
    return new FieldSet(
      members,
      mapValues(this.#children, (child, element) => child.difference(other.below(element))),
    );
  }

  /** Whether all fields of the other set are here. */
  contains(other: FieldSet): boolean {
    for (const element of other.#members) if (!this.#members.has(element)) return false;
    for (const [element, child] of other.#children) if (!this.below(element).contains(child)) return false;
    return true;
  }

  /** Whether there are fields in both sets. */
  meets(other: FieldSet): boolean {
    for (const element of other.#members) if (this.#members.has(element)) return true;
    for (const [element, child] of other.#children) if (this.#children.get(element)?.meets(child) === true) return true;
    return false;
  }

  /** Every field, those of a level before what is below them, in the order of FieldsV1. */
  paths(): FieldPath[] {
    const children = inOrder(this.#children.keys());
    const below = children.flatMap((element) =>
      this.below(element)
        .paths()
        .map((rest) => [element, ...rest]),
    );
    return [...inOrder(this.#members).map((element) => [element]), ...below];
  }

  /** The set in the form that objects carry it. */
  toFieldsV1(): FieldsV1 {
    this.#fieldsV1 ??= this.#written();
    return this.#fieldsV1;
  }

  #written(): FieldsV1 {
    const elements = inOrder(new Set([...this.#members, ...this.#children.keys()]));
    return Object.fromEntries(elements.map((element) => [element, this.#node(element)]));
  }

  #node(element: PathElement): FieldsV1 {
    const child = this.#children.get(element);
    if (child === undefined) return {};
    return this.#members.has(element) ? { '.': {}, ...child.toFieldsV1() } : child.toFieldsV1();
  }
}

function withoutEmpty(children: ReadonlyMap<PathElement, FieldSet>): ReadonlyMap<PathElement, FieldSet> {
  for (const child of children.values()) {
    if (child.isEmpty) return new Map([...children].filter(([, each]) => !each.isEmpty));
  }
  return children;
}

function readNode(node: Json): JsonObject {
  if (node === null) return {};
  if (!isObject(node)) throw new SyntaxError('fields have to be an object');
  return node;
}

function inOrder(elements: Iterable<PathElement>): PathElement[] {
  return [...elements].sort(compareElements);
}

function mapValues<From, To>(
  map: ReadonlyMap<PathElement, From>,
  change: (value: From, element: PathElement) => To,
): Map<PathElement, To> {
  return new Map([...map].map(([element, value]) => [element, change(value, element)]));
}
