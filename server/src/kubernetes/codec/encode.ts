import type { KubernetesSpec } from '@leasehold/core';
import type { LeaseObject } from '../lease-object.js';
import type { LeaseList } from '../objects.js';
import { sealObject } from './envelope.js';
import { protobufShapes } from './kinds.js';
import { mediaTypes, type Format } from './media-type.js';
import { writeMessage } from './protobuf.js';
import { bytes, kept, struct, text } from './schema.js';
import { zeroMicroTime } from './time.js';
import { toYaml } from './yaml-encode.js';

/** Anything of Kubernetes that knows its kind. */
export interface AnyObject {
  readonly apiVersion: string;
  readonly kind: string;
}

/** How an answer is to be written. */
export interface Representation {
  readonly format: Format;
  /** Indented, for people. */
  readonly pretty: boolean;
}

/** An object as it travels. */
export interface Encoded {
  readonly contentType: string;
  readonly body: string | Uint8Array;
}

/** Writes an object. One that protobuf has no message for here is written as JSON, which clients of protobuf take as well. */
export function encode(object: AnyObject, { format, pretty }: Representation): Encoded {
  const written = toWritten(object);
  const shape = format === 'protobuf' ? protobufShapes.get(object.kind) : undefined;
  if (shape !== undefined) {
    return { contentType: mediaTypes.protobuf, body: sealObject(shape, written) };
  }
  if (format === 'yaml') return { contentType: mediaTypes.yaml, body: toYaml(written) };
  return { contentType: mediaTypes.json, body: pretty ? JSON.stringify(written, null, 2) : `${JSON.stringify(written)}\n` };
}

/** What a watch tells about an object. */
export type WatchEventType = 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR';

/** The content type of a watch; YAML has none. */
export function watchContentType(format: Exclude<Format, 'yaml'>): string {
  return format === 'json' ? mediaTypes.json : `${mediaTypes.protobuf};stream=watch`;
}

/**
 * Writes an event of a watch: in JSON a document in a line of its own, in protobuf a message behind its length. What watchers of the
 * same representation get is the same, so that one encoding serves all of them.
 */
export function encodeWatchEvent(type: WatchEventType, object: AnyObject, format: Exclude<Format, 'yaml'>): string | Uint8Array {
  if (format === 'json') return `{"type":"${type}","object":${JSON.stringify(toWritten(object))}}\n`;
  const { body } = encode(object, { format, pretty: false });
  const event = writeMessage(watchEvent, { type, object: { raw: typeof body === 'string' ? Buffer.from(body) : body } });
  const length = Buffer.alloc(4);
  length.writeUInt32BE(event.length);
  return Buffer.concat([length, event]);
}

/** An object as every encoding has it: leases always have a spec, and in a list their kind stands with the list. */
export function toWritten(object: AnyObject): AnyObject {
  if (object.kind === 'Lease') return { ...object, spec: writtenSpec((object as LeaseObject).spec) } as AnyObject;
  if (object.kind !== 'LeaseList') return object;
  const items = (object as LeaseList).items.map(({ metadata, spec }) => ({ metadata, spec: writtenSpec(spec) }));
  return { ...object, items } as AnyObject;
}

function writtenSpec(spec: KubernetesSpec = {}): object {
  const { acquireTime, renewTime } = spec;
  if (acquireTime !== zeroMicroTime && renewTime !== zeroMicroTime) return spec;
  const times = Object.entries({ acquireTime, renewTime }).filter(([, time]) => time === zeroMicroTime);
  return { ...spec, ...Object.fromEntries(times.map(([name]) => [name, null])) };
}

const watchEvent = struct<'type' | 'object'>('WatchEvent', {
  type: kept(1, text),
  object: kept(2, struct<'raw'>('RawExtension', { raw: kept(1, bytes) })),
});
