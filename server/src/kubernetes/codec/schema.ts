/**
 * What is known of a type of Kubernetes, once for all encodings: the names of its fields for JSON and YAML, their numbers for protobuf,
 * and what Go calls them, for messages.
 */
export type Shape = Scalar | Bytes | Instant | StringMap | FieldTree | List | Struct;

/** A single value. */
export interface Scalar {
  readonly form: 'string' | 'int32' | 'int64' | 'bool';
  readonly goType: string;
}

/** Bytes inside messages that only protobuf has. */
export interface Bytes {
  readonly form: 'bytes';
}

/** A time, as text of RFC 3339 in UTC. */
export interface Instant {
  readonly form: 'time';
  readonly fraction: 0 | 6;
}

/** Texts by name. */
export interface StringMap {
  readonly form: 'map';
}

/** A set of fields as a tree, which protobuf holds as JSON. */
export interface FieldTree {
  readonly form: 'fields';
}

export interface List {
  readonly form: 'list';
  readonly goType: string;
  readonly of: Shape;
}

export interface Struct {
  readonly form: 'struct';
  readonly goType: string;
  /** Without the package. */
  readonly name: string;
  /** The fields that protobuf has, from the last number to the first, which is how it is written. */
  readonly numbered: readonly Field[];
  /** Those that are always there. */
  readonly kept: readonly Field[];
  readonly byName: ReadonlyMap<string, Field>;
  readonly byNumber: readonly (Field | undefined)[];
}

/**
 * When a field is there. `pointer`: when it has been given, be it empty. `value`: when it is not empty. `kept`: always.
 * Protobuf has all but the pointers always.
 */
export type Presence = 'pointer' | 'value' | 'kept';

export interface Field {
  readonly name: string;
  /** In protobuf; 0: it has none. */
  readonly number: number;
  readonly presence: Presence;
  readonly shape: Shape;
  /** Whether a list that has nothing in it says something else than none. */
  readonly whenEmpty: boolean;
  /** Its own among the fields of its struct. */
  readonly bit: number;
}

/** A field before it has its name. */
type Unnamed = Omit<Field, 'name' | 'bit'>;

export const text: Scalar = { form: 'string', goType: 'string' };
export const int32: Scalar = { form: 'int32', goType: 'int32' };
export const int64: Scalar = { form: 'int64', goType: 'int64' };
export const bool: Scalar = { form: 'bool', goType: 'bool' };
export const bytes: Bytes = { form: 'bytes' };
export const time: Instant = { form: 'time', fraction: 0 };
export const microTime: Instant = { form: 'time', fraction: 6 };
export const stringMap: StringMap = { form: 'map' };
export const fieldTree: FieldTree = { form: 'fields' };

/** A text of a type of its own in Go. */
export function textOf(goType: string): Scalar {
  return { form: 'string', goType };
}

export function list(of: Scalar | Struct): List {
  return { form: 'list', goType: `[]${of.goType}`, of };
}

export function pointer(number: number, shape: Shape): Unnamed {
  return { number, shape, presence: 'pointer', whenEmpty: false };
}

export function value(number: number, shape: Shape): Unnamed {
  return { number, shape, presence: 'value', whenEmpty: false };
}

/** A list that is there although nothing is in it, as far as the encoding can tell. */
export function evenEmpty(number: number, shape: List): Unnamed {
  return { number, shape, presence: 'value', whenEmpty: true };
}

export function kept(number: number, shape: Shape): Unnamed {
  return { number, shape, presence: 'kept', whenEmpty: false };
}

/** `Name`: the fields of the interface that this describes, so that none is forgotten. */
export function struct<Name extends string>(name: string, fields: Readonly<Record<Name, Unnamed>>): Struct {
  const all = Object.entries<Unnamed>(fields).map(([field, unnamed], index): Field => ({
    name: field,
    ...unnamed,
    bit: 1 << index,
  }));
  const numbered = all.filter(({ number }) => number > 0).sort((left, right) => right.number - left.number);
  const byNumber: (Field | undefined)[] = [];
  for (const field of numbered) byNumber[field.number] = field;
  return {
    form: 'struct',
    goType: `v1.${name}`,
    name,
    numbered,
    byName: new Map(all.map((field) => [field.name, field])),
    byNumber,
    kept: all.filter(({ presence }) => presence === 'kept'),
  };
}

/** An object of a kind of its own: JSON has its version and kind as fields, protobuf around it. */
export function object<Name extends string>(name: string, fields: Readonly<Record<Name, Unnamed>>): Struct {
  return struct(name, { apiVersion: value(0, text), kind: value(0, text), ...fields });
}

/** What stands for a value that has not been given. */
export function emptyOf(shape: Shape): unknown {
  switch (shape.form) {
    case 'string':
      return '';
    case 'int32':
    case 'int64':
      return 0;
    case 'bool':
      return false;
    case 'bytes':
      return new Uint8Array();
    case 'list':
      return [];
    case 'map':
    case 'fields':
      return {};
    case 'struct':
      return withKept(shape, {});
    case 'time':
      return undefined;
  }
}

/** Fills in the fields that are always there. */
export function withKept(shape: Struct, object: Record<string, unknown>): Record<string, unknown> {
  for (const field of shape.kept) object[field.name] ??= emptyOf(field.shape);
  return object;
}

/** Whether a value says no more than a missing one. A map is only made for something that is in it. */
export function isEmpty(given: unknown): boolean {
  return given === '' || given === 0 || given === false || (Array.isArray(given) && given.length === 0);
}

/** Sets an entry of a map under any name: an assignment would take `__proto__` for something else. */
export function setEntry(map: Record<string, string>, name: string, entry: string): void {
  if (name === '__proto__') {
    Reflect.defineProperty(map, name, { value: entry, configurable: true, enumerable: true, writable: true });
  } else {
    map[name] = entry;
  }
}
