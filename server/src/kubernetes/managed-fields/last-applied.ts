import { goJson, isObject, member, objectOr, type Json, type JsonObject } from '../json.js';
import { compare } from './compare.js';
import { FieldSet } from './field-set.js';
import { fieldsOf } from './fields-of.js';
import { whyNotApplicable } from './check-applied.js';
import { leaseVersion } from './managers.js';

// `kubectl apply` without `--server-side` keeps what it applied in an annotation. The manager `kubectl` inherits what stands there.

/** The manager that `kubectl apply --server-side` is, unless told otherwise. */
export const kubectl = 'kubectl';

/** The fields that `kubectl` may take without a conflict: those that it applied on its side, and that have kept their value. */
export function appliedOnItsSide(live: JsonObject): FieldSet {
  const text = lastAppliedOf(live);
  const applied = text === undefined ? undefined : parsed(text);
  if (!isObject(applied) || applied['apiVersion'] !== leaseVersion || whyNotApplicable(applied) !== undefined)
    return FieldSet.empty;
  const { added, modified, removed } = compare(applied, live);
  return fieldsOf(applied).difference(modified).difference(added).difference(removed);
}

/** The object with the annotation brought up to date, if it has one. */
export function withLastApplied(object: JsonObject, applied: JsonObject): JsonObject {
  if (lastAppliedOf(object) === undefined) return object;
  const metadata = objectOr(object['metadata']);
  const annotations = { ...objectOr(metadata['annotations']), [annotation]: `${goJson(withoutLastApplied(applied))}\n` };
  const kept = bytesOf(annotations) > annotationBytesMax ? omit(annotations, annotation) : annotations;
  return { ...object, metadata: { ...metadata, annotations: kept } };
}

const annotation = 'kubectl.kubernetes.io/last-applied-configuration';

/** All annotations of an object together (TotalAnnotationSizeLimitB of apimachinery). */
const annotationBytesMax = 256 * 1024;

function lastAppliedOf(object: JsonObject): string | undefined {
  const text = member(objectOr(objectOr(object['metadata'])['annotations']), annotation);
  return typeof text === 'string' && text !== '' ? text : undefined;
}

function withoutLastApplied(applied: JsonObject): JsonObject {
  const metadata = objectOr(applied['metadata']);
  const annotations = metadata['annotations'];
  if (!isObject(annotations)) return applied;
  return { ...applied, metadata: { ...metadata, annotations: omit(annotations, annotation) } };
}

function omit(object: JsonObject, key: string): JsonObject {
  return Object.fromEntries(Object.entries(object).filter(([name]) => name !== key));
}

function bytesOf(texts: JsonObject): number {
  return Object.entries(texts).reduce((sum, [key, text]) => sum + Buffer.byteLength(key) + bytesOfText(text), 0);
}

function bytesOfText(text: Json): number {
  return typeof text === 'string' ? Buffer.byteLength(text) : 0;
}

function parsed(text: string): Json | undefined {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return undefined;
  }
}
