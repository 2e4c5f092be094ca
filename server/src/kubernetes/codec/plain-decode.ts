import { goType } from '../go-types.js';
import { isList, isObject, member, type Json, type JsonObject } from '../json.js';
import { DocumentError, fromPlain } from './document.js';
import { describe, toFieldTree, type DecodedDocument } from './json-decode.js';
import { emptyOf, isEmpty, setEntry, withKept, type Field, type Scalar, type Shape, type Struct } from './schema.js';
import { parseTime } from './time.js';

/**
 * Makes an object out of plain values, as Kubernetes does with what a strategic merge patch or an apply has made (`FromUnstructured` of
 * apimachinery): in other words than its JSON decoder, and numbers that are too large for a field lose what does not fit.
 *
 * @throws DocumentError for values of the wrong type and bad times, in Go's words
 */
export function decodePlain(shape: Struct, value: JsonObject): DecodedDocument {
  const reader = new Reader();
  const object = reader.struct(shape, value, '');
  return { object, complaints: reader.unknown.sort() };
}

class Reader {
  readonly unknown: string[] = [];

  struct(shape: Struct, value: Json, path: string): Record<string, unknown> {
    if (!isObject(value)) throw new DocumentError(`cannot restore struct from: ${goKind(value)}`);
    const object: Record<string, unknown> = {};
    for (const field of shape.byName.values()) {
      const given = member(value, field.name) ?? null;
      if (given !== null) this.#field(field, given, object, below(path, field.name));
    }
    for (const name of Object.keys(value)) {
      if (!shape.byName.has(name)) this.unknown.push(`unknown field "${below(path, name)}"`);
    }
    return withKept(shape, object);
  }

  #field({ name, shape, presence, whenEmpty }: Field, value: Json, object: Record<string, unknown>, path: string): void {
    const read = this.#value(shape, value, path);
    const saysNothing = read === undefined || (presence === 'value' && !whenEmpty && isEmpty(read));
    if (!saysNothing) object[name] = read;
  }

  /** `undefined`: an empty map, or Go's zero time. */
  #value(shape: Shape, value: Json, path: string): unknown {
    switch (shape.form) {
      case 'struct':
        return this.struct(shape, value, path);
      case 'list':
        if (!isList(value)) throw new DocumentError(`cannot restore slice from ${goKind(value)}`);
        return value.map((item, index) =>
          item === null ? emptyOf(shape.of) : (this.#value(shape.of, item, `${path}[${index}]`) ?? emptyOf(shape.of)),
        );
      case 'map':
        return textsOf(value);
      case 'time':
        if (typeof value !== 'string')
          throw new DocumentError(`json: cannot unmarshal ${describe(fromPlain(value))} into Go value of type string`);
        return parseTime(value, shape.fraction);
      case 'fields':
        return toFieldTree(fromPlain(value));
      case 'bytes':
        throw new DocumentError(`cannot restore slice from ${goKind(value)}`);
      default:
        return scalarOf(shape, value);
    }
  }
}

function textsOf(value: Json): Record<string, string> | undefined {
  if (!isObject(value)) throw new DocumentError(`cannot restore map from ${goKind(value)}`);
  const entries = Object.entries(value);
  if (entries.length === 0) return undefined;
  const texts: Record<string, string> = {};
  for (const [name, entry] of entries) setEntry(texts, name, entry === null ? '' : String(scalarOf(text, entry)));
  return texts;
}

const text: Scalar = { form: 'string', goType: 'string' };

function scalarOf({ form, goType: target }: Scalar, value: Json): string | boolean | number {
  if (form === 'int32' || form === 'int64') return integerOf(form, value, target);
  if (typeof value === 'string' && form === 'string') return value;
  if (typeof value === 'boolean' && form === 'bool') return value;
  // Go could make a character of a number, which nobody wants.
  if (form === 'string' && typeof value === 'number' && goType(value) === 'int64') throw cannotConvert(value, target);
  throw new DocumentError(`unrecognized type: ${form}`);
}

function integerOf(form: 'int32' | 'int64', value: Json, target: string): number {
  if (typeof value !== 'number') throw new DocumentError(`unrecognized type: ${form}`);
  if (!Number.isInteger(value)) throw cannotConvert(value, target);
  return wrapped(value, form === 'int32' ? 32 : 64);
}

/** What of a number fits into so many bits; of one beyond 64 bits, nothing does. */
function wrapped(value: number, bits: 32 | 64): number {
  const isLong = Math.abs(value) >= 2 ** 63;
  return Number(BigInt.asIntN(bits, isLong ? -(2n ** 63n) : BigInt(value)));
}

function cannotConvert(value: Json, target: string): DocumentError {
  return new DocumentError(`cannot convert ${goType(value)} to ${target}`);
}

/** What Go calls the kind of a value. */
function goKind(value: Json): string {
  if (isList(value)) return 'slice';
  return isObject(value) ? 'map' : goType(value);
}

function below(path: string, name: string): string {
  return path === '' ? name : `${path}.${name}`;
}
