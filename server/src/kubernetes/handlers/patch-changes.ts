import { leaseFromJson, leaseFromPlain, strictError, type FieldValidation, type PatchedLease } from '../codec/decode.js';
import { DocumentError } from '../codec/document.js';
import { readJsonPatch, readYamlPatch, type PatchBody } from '../codec/patch-body.js';
import { withSixDigits } from '../codec/time.js';
import { linesOf } from '../codec/yaml-decode.js';
import { isOwnAnnotation, toObject, toTime, withoutOwnAnnotations, type LiveLease } from '../convert.js';
import { goText } from '../go-types.js';
import { isObject, member, objectOr, type Json, type JsonObject } from '../json.js';
import type { LeaseObject } from '../lease-object.js';
import { apply } from '../managed-fields/apply.js';
import { patchedUnreadable } from '../patch/errors.js';
import { applyJsonPatch, unknownOperationFields } from '../patch/json-patch.js';
import { applyMergePatch } from '../patch/merge-patch.js';
import { applyStrategicMergePatch } from '../patch/strategic-merge-patch.js';
import { badRequest, StatusError } from '../status.js';
import { tracked, type Writer } from './changes.js';
import type { Changed } from './write.js';

/** A patch as it was sent, and how it is meant. */
export interface SentPatch extends Writer {
  readonly body: Uint8Array;
  readonly validation: FieldValidation;
}

/** How a lease is patched that is there. */
export type PatchLease = (patch: SentPatch, live: LiveLease) => Changed;

/** The patches by their content types, but for those that are applied: in the order of kube-apiserver. */
export const patches: ReadonlyMap<string, PatchLease> = new Map([
  [
    'application/json-patch+json',
    change({
      read: (body) => ownWords('json patch ', withUnknownFields(decodingError(readJsonPatch, body))),
      apply: applyJsonPatch,
      result: leaseFromJson,
      shown: (_, result) => JSON.stringify(result),
    }),
  ],
  [
    'application/merge-patch+json',
    change({
      read: (body) => decodingError(readJsonPatch, body),
      apply: applyMergePatch,
      result: leaseFromJson,
      shown: (_, result) => JSON.stringify(result),
    }),
  ],
  [
    'application/strategic-merge-patch+json',
    change({
      read: (body) => decodingError(readJsonPatch, body, ''),
      apply: applyStrategicMergePatch,
      result: (merged) => leaseFromPlain(objectOr(merged)),
      shown: goText,
    }),
  ],
]);

/** The content type of patches that are applied. */
export const applyType = 'application/apply-patch+yaml';

/** An apply: a patch that creates what is not there. */
export interface SentApply extends SentPatch {
  readonly force: boolean;
}

/** Applies a patch. @throws {StatusError} */
export function applyPatch({ body, validation, manager, clock, force }: SentApply, live: LiveLease | undefined): Changed {
  const { value, complaints } = decodingError(readYamlPatch, body, 'error decoding YAML: error converting YAML to JSON: ');
  const now = toTime(clock.wallMs());
  const applied = apply({ live: live?.object, patch: withFullTimes(withoutOwn(value)), manager, force, now });
  const [complaint] = complaints;
  if (validation === 'Strict' && complaint !== undefined) throw badRequest(`error strict decoding patch: ${complaint}`);
  return { object: readApplied(applied, objectOr(value)), warnings: validation === 'Warn' ? complaints.flatMap(linesOf) : [] };
}

/** The steps of a patch. */
interface Steps {
  read(body: Uint8Array): PatchBody;
  apply(object: LeaseObject, patch: unknown): Json;
  /** Reads what came out. @throws {DocumentError} */
  result(patched: Json): PatchedLease;
  /** What a refusal quotes when the result is no lease. */
  shown(patch: Json, result: Json): string;
}

/** Clients patch what they are shown; what they write of this server's own is then dropped. */
function change(steps: Steps): PatchLease {
  return ({ body, validation, ...writer }, live) => {
    const { value, complaints } = steps.read(body);
    const result = steps.apply(toObject(live.record), value);
    const refuse = (why: string): StatusError => patchedUnreadable(steps.shown(value, result), why);
    const patched = readPatched(() => steps.result(result), refuse);
    const all = [...complaints, ...patched.complaints];
    if (validation === 'Strict' && all.length > 0) throw refuse(strictError(all));
    const object = tracked(withoutOwnAnnotations(patched.object), live, writer);
    return { object, warnings: validation === 'Warn' ? all : [] };
  };
}

function readPatched(read: () => PatchedLease, refuse: (why: string) => StatusError): PatchedLease {
  try {
    return read();
  } catch (error) {
    throw error instanceof DocumentError ? refuse(error.message) : error;
  }
}

/** An applied object with times as they are stored. @throws {StatusError} 500, as kube-apiserver has it: a time is none. */
function readApplied(applied: LeaseObject, patch: JsonObject): LeaseObject {
  const { namespace, name } = objectOr(patch['metadata']);
  const place = [namespace, name].map((part) => (typeof part === 'string' ? part : '')).join('/');
  const type = 'coordination.k8s.io/v1, Kind=Lease';
  const unconvertible = `unable to convert unstructured object to ${type}`;
  const read = (): PatchedLease => leaseFromPlain(applied as unknown as JsonObject);
  const { object } = readPatched(read, (why) => {
    const message = `failed to convert new object (${place}; ${type}) to proper version: ${unconvertible}: ${why}`;
    return new StatusError(500, '', message);
  });
  return object;
}

/** Reads a patch. @throws {StatusError} 400 */
function decodingError(read: (body: Uint8Array) => PatchBody, body: Uint8Array, prefix = 'error decoding patch: '): PatchBody {
  try {
    return read(body);
  } catch (error) {
    throw error instanceof DocumentError ? badRequest(`${prefix}${error.message}`) : error;
  }
}

function withUnknownFields({ value, complaints }: PatchBody): PatchBody {
  return { value, complaints: [...complaints, ...unknownOperationFields(value)] };
}

function ownWords(prefix: string, { value, complaints }: PatchBody): PatchBody {
  return { value, complaints: complaints.map((complaint) => `${prefix}${complaint}`) };
}

/** What is applied, without what it says in this server's annotations. */
function withoutOwn(patch: Json): Json {
  const metadata = isObject(patch) ? member(patch, 'metadata') : undefined;
  const annotations = objectOr(isObject(metadata) ? member(metadata, 'annotations') : undefined);
  if (!isObject(patch) || !isObject(metadata) || !Object.keys(annotations).some(isOwnAnnotation)) return patch;
  const kept = Object.fromEntries(Object.entries(annotations).filter(([key]) => !isOwnAnnotation(key)));
  return { ...patch, metadata: { ...metadata, annotations: kept } };
}

/**
 * What is applied, with as many digits in its times as are kept. Applied fields are compared as texts: the same time in another form
 * would be a conflict with whoever else has applied it.
 */
function withFullTimes(patch: Json): Json {
  const spec = isObject(patch) ? member(patch, 'spec') : undefined;
  if (!isObject(patch) || !isObject(spec)) return patch;
  const full = Object.entries(spec).map(([name, value]): [string, Json] => {
    const isTime = (name === 'acquireTime' || name === 'renewTime') && typeof value === 'string';
    return [name, isTime ? withSixDigits(value) : value];
  });
  return { ...patch, spec: Object.fromEntries(full) };
}
