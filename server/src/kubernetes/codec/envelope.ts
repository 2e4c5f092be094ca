import { DocumentError } from './document.js';
import { readMessage, writeMessage } from './protobuf.js';
import { bytes, kept, struct, text } from './schema.js';

/** A message of protobuf with the name of its kind (runtime.Unknown). */
export interface Envelope {
  readonly apiVersion: string;
  readonly kind: string;
  readonly raw: Uint8Array;
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
export function sealEnvelope({ apiVersion, kind, raw }: Envelope): Uint8Array {
  return Buffer.concat([magic, writeMessage(unknownShape, { typeMeta: { apiVersion, kind }, raw })]);
}

/** What such a body begins with. */
const magic = Buffer.from('k8s\0');

const unknownShape = struct<'typeMeta' | 'raw' | 'contentEncoding' | 'contentType'>('Unknown', {
  typeMeta: kept(1, struct<'apiVersion' | 'kind'>('TypeMeta', { apiVersion: kept(1, text), kind: kept(2, text) })),
  raw: kept(2, bytes),
  contentEncoding: kept(3, text),
  contentType: kept(4, text),
});
