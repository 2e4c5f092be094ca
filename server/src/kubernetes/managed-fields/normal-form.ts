import { isHollow, isList, objectOr, type Json, type JsonObject } from '../json.js';
import type { LeaseObject } from '../lease-object.js';

/**
 * A lease as it is once read and written again: what says nothing (`null`, an empty text, list or map in the metadata) is gone, and
 * `metadata` and `spec` are there. Objects are compared in this form, so that only what they say tells them apart.
 */
export function normalForm(object: Json | LeaseObject): JsonObject {
  const { apiVersion, kind, metadata, spec } = object as JsonObject;
  return {
    ...(apiVersion === undefined ? {} : { apiVersion }),
    ...(kind === undefined ? {} : { kind }),
    metadata: ofMetadata(objectOr(metadata)),
    spec: withoutNulls(objectOr(spec)),
  };
}

function ofMetadata(metadata: JsonObject): JsonObject {
  if (Object.entries(metadata).every(([name, value]) => !inMetadata.has(name) && !saysNothing(name, value))) return metadata;
  const entries = Object.entries(metadata).map(([name, value]) => [name, inMetadata.get(name)?.(value) ?? value] as const);
  return Object.fromEntries(entries.filter(([name, value]) => !saysNothing(name, value)));
}

const inMetadata: ReadonlyMap<string, (value: Json) => Json> = new Map([
  ['labels', textsOf],
  ['annotations', textsOf],
  ['finalizers', (value) => (isList(value) ? value.map((item) => item ?? '') : value)],
  ['ownerReferences', (value) => (isList(value) ? value.map(ofOwnerReference) : value)],
]);

/** A text that is `null` is read as an empty one where only its key matters. */
function textsOf(value: Json): Json {
  return Object.fromEntries(Object.entries(objectOr(value)).map(([key, text]) => [key, text ?? '']));
}

function ofOwnerReference(value: Json): Json {
  return { apiVersion: '', kind: '', name: '', uid: '', ...withoutNulls(objectOr(value)) };
}

const times: ReadonlySet<string> = new Set(['creationTimestamp', 'deletionTimestamp']);

function saysNothing(name: string, value: Json): boolean {
  if (value === null) return true;
  // An empty time is none that anybody could read, and is to be found out.
  if (value === '') return !times.has(name);
  return typeof value === 'object' ? isHollow(value) : value === 0 && name === 'generation';
}

function withoutNulls(object: JsonObject): JsonObject {
  if (!Object.values(object).includes(null)) return object;
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== null));
}
