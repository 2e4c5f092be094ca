import type { FieldsV1 } from '../lease-object.js';
import { DocumentError } from './document.js';
import { fieldTreeBytes, parseFieldTree } from './field-trees.js';
import { toText } from './json-parse.js';
import {
  bytes,
  emptyOf,
  int32,
  int64,
  isEmpty,
  kept,
  setEntry,
  struct,
  text,
  withKept,
  type Instant,
  type List,
  type Shape,
  type Struct,
} from './schema.js';
import { timeFromParts, timeToParts, zeroMicroTime } from './time.js';
import { WireReader, wireType, WireWriter } from './wire.js';

/**
 * Reads a message of protobuf strictly: what ends too early, reaches beyond its parent or has a field of another type is refused, since
 * half a lease would be taken for a whole one. Fields that are not known are skipped.
 *
 * @throws DocumentError in the words of Kubernetes
 */
export function readMessage(shape: Struct, message: Uint8Array): Record<string, unknown> {
  const buffer = Buffer.from(message.buffer, message.byteOffset, message.byteLength);
  return readStruct(shape, new WireReader(buffer), {});
}

/** Writes a message as Kubernetes does, byte for byte: whatever is no pointer is written, be it empty. */
export function writeMessage(shape: Struct, object: object): Uint8Array {
  const writer = new WireWriter();
  writeStruct(shape, object, writer);
  return writer.finish();
}

function readStruct(shape: Struct, reader: WireReader, object: Record<string, unknown>): Record<string, unknown> {
  while (!reader.isAtEnd) {
    const tag = reader.tag();
    const type = tag & 7;
    const field = shape.byNumber[tag >>> 3];
    if (field === undefined) {
      reader.skip(type);
      continue;
    }
    if (type !== wireTypeOf(field.shape)) {
      throw new DocumentError(`proto: wrong wireType = ${type} for field ${goName(field.name)}`);
    }
    const value = readValue(field.shape, reader, object[field.name]);
    const isNothing = value === undefined || (field.presence === 'value' && isEmpty(value));
    if (!isNothing) {
      object[field.name] = value;
    } else if (Object.hasOwn(object, field.name)) {
      Reflect.deleteProperty(object, field.name);
    }
  }
  return withKept(shape, object);
}

/** One value; of lists and maps one more element on top of what was there `before`. */
function readValue(shape: Shape, reader: WireReader, before: unknown): unknown {
  switch (shape.form) {
    case 'string':
      return reader.text();
    case 'int32':
      return reader.int32();
    case 'int64':
      return reader.int64();
    case 'bool':
      return reader.bool();
    case 'bytes':
      return reader.bytes();
    case 'time':
      return readTime(shape, reader.message());
    case 'fields':
      return readFieldTree(reader.message());
    case 'struct':
      return readStruct(shape, reader.message(), (before ?? {}) as Record<string, unknown>);
    case 'list':
      return readElement(shape, reader, (before ?? []) as unknown[]);
    case 'map':
      return readEntry(reader.message(), (before ?? {}) as Record<string, string>);
  }
}

function readTime({ fraction }: Instant, reader: WireReader): string | undefined {
  if (reader.isAtEnd) return fraction === 0 ? undefined : zeroMicroTime;
  const { seconds, nanos } = readStruct(timestamp, reader, {});
  return timeFromParts(Number(seconds), Number(nanos), fraction);
}

function readFieldTree(reader: WireReader): unknown {
  return parseFieldTree(toText(readStruct(fieldsV1, reader, {})['raw'] as Uint8Array));
}

function readElement({ of }: List, reader: WireReader, elements: unknown[]): unknown[] {
  elements.push(readValue(of, reader, undefined) ?? emptyOf(of));
  return elements;
}

function readEntry(reader: WireReader, entries: Record<string, string>): Record<string, string> {
  const { key, value } = readStruct(mapEntry, reader, {});
  setEntry(entries, String(key), String(value));
  return entries;
}

/** Writes the fields of a message in front of what has been written: from the last to the first, as the writer works. */
export function writeStruct(shape: Struct, object: object, writer: WireWriter): void {
  const values = object as Readonly<Record<string, unknown>>;
  for (const { name, number, presence, shape: inner } of shape.numbered) {
    const value = values[name];
    if (value !== undefined) {
      writeField(number, inner, value, writer);
    } else if (presence !== 'pointer' && inner.form !== 'list' && inner.form !== 'map') {
      writeField(number, inner, emptyOf(inner), writer);
    }
  }
}

/** Writes a field in front of those that have been written. */
export function writeField(number: number, shape: Shape, value: unknown, writer: WireWriter): void {
  if (shape.form === 'list') {
    const elements = value as readonly unknown[];
    for (let index = elements.length - 1; index >= 0; index -= 1) writeField(number, shape.of, elements[index], writer);
  } else if (shape.form === 'map') {
    writeMap(number, value as Readonly<Record<string, string>>, writer);
  } else if (wireTypeOf(shape) === wireType.varint) {
    writer.int64(Number(value));
    writer.tag(number, wireType.varint);
  } else {
    const before = writer.length;
    writeContent(shape, value, writer);
    writer.int64(writer.length - before);
    writer.tag(number, wireType.length);
  }
}

/** What stands behind a length. */
function writeContent(shape: Shape, value: unknown, writer: WireWriter): void {
  if (shape.form === 'string') {
    writer.text(value as string);
  } else if (shape.form === 'bytes') {
    writer.bytes(value as Uint8Array);
  } else if (shape.form === 'struct') {
    writeStruct(shape, value as object, writer);
  } else if (shape.form === 'fields') {
    writeStruct(fieldsV1, { raw: fieldTreeBytes(value as FieldsV1) }, writer);
  } else if (value !== undefined && value !== null) {
    writeStruct(timestamp, timeToParts(value as string), writer);
  }
}

/** Entries in the order of their keys, so that the same object gives the same bytes. */
function writeMap(number: number, entries: Readonly<Record<string, string>>, writer: WireWriter): void {
  for (const key of Object.keys(entries).sort().reverse()) writeField(number, mapEntry, { key, value: entries[key] }, writer);
}

function wireTypeOf({ form }: Shape): number {
  return form === 'int32' || form === 'int64' || form === 'bool' ? wireType.varint : wireType.length;
}

const timestamp = struct<'seconds' | 'nanos'>('Timestamp', { seconds: kept(1, int64), nanos: kept(2, int32) });
const fieldsV1 = struct<'raw'>('FieldsV1', { raw: kept(1, bytes) });
const mapEntry = struct<'key' | 'value'>('Entry', { key: kept(1, text), value: kept(2, text) });

/** What Go's generated code calls a field. */
function goName(name: string): string {
  if (name === 'metadata') return 'ObjectMeta';
  return name === 'uid' ? 'UID' : name.replace(/^api(?=[A-Z])/, 'API').replace(/^[a-z]/, (letter) => letter.toUpperCase());
}
