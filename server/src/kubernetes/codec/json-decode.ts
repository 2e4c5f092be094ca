import type { FieldsV1 } from '../lease-object.js';
import { complaintsMax, DocumentError, DocumentNumber, DocumentObject, type DocumentValue } from './document.js';
import { goQuote } from './go-quote.js';
import { emptyOf, isEmpty, setEntry, withKept, type Field, type List, type Scalar, type Shape, type Struct } from './schema.js';
import { parseTime } from './time.js';

/** What a document amounts to as an object of a kind. */
export interface DecodedDocument {
  readonly object: Record<string, unknown>;
  /** Fields that do not exist or come twice, in the words of Kubernetes. */
  readonly complaints: readonly string[];
}

/**
 * Makes an object out of a document, as Go's `encoding/json` with the changes of Kubernetes does: names count to the letter, `null` is
 * nothing, and of a field that comes twice the last counts.
 *
 * @throws DocumentError for values of the wrong type and bad times, in Go's words
 */
export function decodeDocument(shape: Struct, document: DocumentValue): DecodedDocument {
  const decoder = new Decoder();
  const object = decoder.object(shape, document);
  return { object, complaints: [...decoder.complaints] };
}

/** Where a value stands: a field of a struct, or an element of a list. At the top it stands nowhere. */
interface Place {
  readonly parent: Place | undefined;
  /** Go's name of the struct. */
  readonly struct: string;
  readonly key: string | number;
}

class Decoder {
  readonly complaints = new Set<string>();
  /** Go goes on after a value of the wrong type and reports the first; a bad time ends it at once. */
  #wrongType: DocumentError | undefined;

  object(shape: Struct, document: DocumentValue): Record<string, unknown> {
    const object = (document === null ? {} : this.#value(shape, document, undefined, undefined)) ?? {};
    if (this.#wrongType !== undefined) throw this.#wrongType;
    return withKept(shape, object as Record<string, unknown>);
  }

  #struct(shape: Struct, document: DocumentObject, place: Place | undefined, before: unknown): Record<string, unknown> {
    const object = (before ?? {}) as Record<string, unknown>;
    const { names, values } = document;
    let seen = 0;
    for (let index = 0; index < names.length; index += 1) {
      const name = names[index] ?? '';
      const field = shape.byName.get(name);
      if (field === undefined) {
        this.#complain('unknown field', place, name);
        continue;
      }
      if ((seen & field.bit) !== 0) this.#complain('duplicate field', place, name);
      seen |= field.bit;
      this.#field(field, values[index] ?? null, object, { parent: place, struct: shape.name, key: name });
    }
    return withKept(shape, object);
  }

  #field(field: Field, document: DocumentValue, object: Record<string, unknown>, place: Place): void {
    const { name, shape, presence, whenEmpty } = field;
    if (document === null) {
      // What Go holds by reference becomes nothing; other values stay as they are.
      if (presence === 'pointer' || byReference.has(shape.form)) Reflect.deleteProperty(object, name);
      return;
    }
    const value = this.#value(shape, document, place, object[name]);
    const isNothing = value === undefined ? shape.form === 'time' : presence === 'value' && !whenEmpty && isEmpty(value);
    if (isNothing) {
      if (Object.hasOwn(object, name)) Reflect.deleteProperty(object, name);
    } else if (value !== undefined) {
      object[name] = value;
    }
  }

  /** A value as its shape has it; `undefined` where the type is wrong, for an empty map, and for Go's zero time. */
  #value(shape: Shape, document: DocumentValue, place: Place | undefined, before: unknown): unknown {
    switch (shape.form) {
      case 'struct':
        if (!(document instanceof DocumentObject)) return this.#refuse(document, shape.goType, place);
        return this.#struct(shape, document, place, before);
      case 'list':
        if (!Array.isArray(document)) return this.#refuse(document, shape.goType, place);
        return this.#list(shape, document as readonly DocumentValue[], place);
      case 'map':
        if (!(document instanceof DocumentObject)) return this.#refuse(document, 'map[string]string', place);
        return this.#map(document, place, before);
      case 'time':
        if (typeof document !== 'string') throw typeError(describe(document), 'string', place);
        return parseTime(document, shape.fraction);
      case 'fields':
        return toFieldTree(document);
      case 'bytes':
        return this.#refuse(document, '[]uint8', place);
      default:
        return this.#scalar(shape, document, place);
    }
  }

  #list(shape: List, documents: readonly DocumentValue[], place: Place | undefined): unknown[] {
    const struct = place?.struct ?? '';
    return documents.map((document, index) => {
      const at = { parent: place, struct, key: index };
      const value = document === null ? undefined : this.#value(shape.of, document, at, undefined);
      return value ?? emptyOf(shape.of);
    });
  }

  #map(document: DocumentObject, place: Place | undefined, before: unknown): unknown {
    if (document.names.length === 0) return before;
    const entries = (before ?? {}) as Record<string, string>;
    const seen = new Set<string>();
    document.names.forEach((name, index) => {
      if (seen.has(name)) this.#complain('duplicate field', place, name);
      seen.add(name);
      const value = document.values[index] ?? '';
      if (typeof value !== 'string') this.#refuse(value, 'string', place);
      setEntry(entries, name, typeof value === 'string' ? value : '');
    });
    return entries;
  }

  #scalar(shape: Scalar, document: DocumentValue, place: Place | undefined): unknown {
    const { form, goType } = shape;
    if (form === 'string' || form === 'bool') {
      return describe(document) === form ? document : this.#refuse(document, goType, place);
    }
    if (!(document instanceof DocumentNumber)) return this.#refuse(document, goType, place);
    const { text } = document;
    const limit = form === 'int32' ? 2n ** 31n : 2n ** 63n;
    const isInRange = wholeNumber.test(text) && BigInt(text) >= -limit && BigInt(text) < limit;
    return isInRange ? Number(text) : this.#refuse(document, goType, place, `number ${text}`);
  }

  #refuse(document: DocumentValue, goType: string, place: Place | undefined, what: string = describe(document)): unknown {
    this.#wrongType ??= typeError(what, goType, place);
    return undefined;
  }

  #complain(what: 'unknown field' | 'duplicate field', place: Place | undefined, name: string): void {
    if (this.complaints.size >= complaintsMax) return;
    const path = place === undefined ? name : `${pathOf(place)}.${name}`;
    this.complaints.add(`${what} ${goQuote(path)}`);
  }
}

/** The fields and positions on the way to a place: `metadata.finalizers[0]`. */
function pathOf({ parent, key }: Place): string {
  const before = parent === undefined ? '' : pathOf(parent);
  if (typeof key === 'number') return `${before}[${key}]`;
  return before === '' ? key : `${before}.${key}`;
}

function typeError(what: string, goType: string, place: Place | undefined): DocumentError {
  // Go's own messages name no positions.
  const target = place === undefined ? 'Go value' : `Go struct field ${place.struct}.${pathOf(place).replaceAll(/\[\d+\]/g, '')}`;
  return new DocumentError(`json: cannot unmarshal ${what} into ${target} of type ${goType}`);
}

/** What Go calls the type of a JSON value. */
export function describe(document: DocumentValue): string {
  if (document === null) return 'null';
  if (document instanceof DocumentNumber) return 'number';
  if (document instanceof DocumentObject) return 'object';
  if (Array.isArray(document)) return 'array';
  return typeof document === 'boolean' ? 'bool' : 'string';
}

/** A document as a set of fields; `unreadable` if it is none, or has more fields than an object can have. */
export function toFieldTree(document: DocumentValue): FieldsV1 {
  return new FieldTree().read(document, 0) ?? unreadable;
}

/** Stands for a set of fields that is none. Kubernetes drops what came with it, but not before the rest has been looked at. */
export const unreadable: FieldsV1 = { unreadable: {} };

class FieldTree {
  #count = 0;

  read(document: DocumentValue, depth: number): FieldsV1 | undefined {
    if (!(document instanceof DocumentObject) || depth > fieldTreeDepthMax) return undefined;
    this.#count += document.names.length;
    if (this.#count > fieldsMax) return undefined;
    const tree: Record<string, FieldsV1> = {};
    for (let index = 0; index < document.names.length; index += 1) {
      const name = document.names[index] ?? '';
      const child = this.read(document.values[index] ?? null, depth + 1);
      // Names of fields begin with what kind of name it is: `f:`, `k:`. The other one would not be a key of its own.
      if (child === undefined || name === '__proto__') return undefined;
      tree[name] = child;
    }
    return tree;
  }
}

/** Somewhat more than the fields whose owners are noted (`tracked`). */
const fieldsMax = 20_000;

/** Field sets follow the fields of an object, which do not nest deeper than a few levels. */
const fieldTreeDepthMax = 100;

const byReference: ReadonlySet<Shape['form']> = new Set(['list', 'map', 'time', 'fields']);
const wholeNumber = /^-?\d{1,20}$/;
