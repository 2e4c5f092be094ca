import { DocumentError } from './document.js';
import { readMessage, writeField, writeStruct } from './protobuf.js';
import { bytes, kept, struct, text, type Struct } from './schema.js';
import { WireWriter, wireType } from './wire.js';

/** A message of protobuf with the name of its kind (runtime.Unknown). */
export interface Envelope extends TypeMeta {
  readonly raw: Uint8Array;
}

/** What a message is. */
interface TypeMeta {
  readonly apiVersion: string;
  readonly kind: string;
}

/**
 * Opens a body of `application/vnd.kubernetes.protobuf`.
 *
 * @throws DocumentError
 */
export function openEnvelope(body: Uint8Array): Envelope {
  if (body.length === 0) throw new DocumentError('empty data');
  if (!magic.equals(body.subarray(0, magic.length))) {
    throw new DocumentError(`provided data does not appear to be a protobuf message, expected prefix [${magic.join(' ')}]`);
  }
  if (body.length === magic.length) throw new DocumentError('empty body');
  const unknown = readMessage(unknownShape, body.subarray(magic.length));
  return { ...(unknown['typeMeta'] as Omit<Envelope, 'raw'>), raw: unknown['raw'] as Uint8Array };
}

/** A body of `application/vnd.kubernetes.protobuf`. */
export function sealEnvelope({ raw, ...type }: Envelope): Uint8Array {
  return sealParts(type, [raw]);
}

/** Such a body around a message that comes in parts. */
export function sealParts(type: TypeMeta, parts: readonly Uint8Array[]): Uint8Array {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const [before, behind] = [new WireWriter(), new WireWriter()];
  writeBefore(type, length, before);
  writeBehind(behind);
  return Buffer.concat([before.finish(), ...parts, behind.finish()]);
}

/** Such a body around an object, which is written right into it. */
export function sealObject(shape: Struct, object: TypeMeta): Uint8Array {
  const writer = new WireWriter();
  writeBehind(writer);
  const length = writer.length;
  writeStruct(shape, object, writer);
  writeBefore(object, writer.length - length, writer);
  return writer.finish();
}

/** What stands behind the message. Writers work from the end to the beginning. */
function writeBehind(writer: WireWriter): void {
  writeField(4, text, '', writer);
  writeField(3, text, '', writer);
}

/** What stands before a message of a length. */
function writeBefore({ apiVersion, kind }: TypeMeta, length: number, writer: WireWriter): void {
  writer.int64(length);
  writer.tag(2, wireType.length);
  writeField(1, typeMeta, { apiVersion, kind }, writer);
  writer.bytes(magic);
}

/** What such a body begins with. */
const magic = Buffer.from('k8s\0');

const typeMeta = struct<'apiVersion' | 'kind'>('TypeMeta', { apiVersion: kept(1, text), kind: kept(2, text) });

const unknownShape = struct<'typeMeta' | 'raw' | 'contentEncoding' | 'contentType'>('Unknown', {
  typeMeta: kept(1, typeMeta),
  raw: kept(2, bytes),
  contentEncoding: kept(3, text),
  contentType: kept(4, text),
});
