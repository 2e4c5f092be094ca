import { leaseFromJson, strictError, type FieldValidation, type PatchedLease } from '../codec/decode.js';
import { DocumentError } from '../codec/document.js';
import { readJsonPatch, readYamlPatch, type PatchBody } from '../codec/patch-body.js';
import { linesOf } from '../codec/yaml-decode.js';
import { isOwnAnnotation, toObject, toTime, withoutOwnAnnotations, type LiveLease } from '../convert.js';
import { goText } from '../go-types.js';
import { isObject, member, objectOr, type Json } from '../json.js';
import type { LeaseObject } from '../lease-object.js';
import { apply } from '../managed-fields/apply.js';
import { patchedUnreadable } from '../patch/errors.js';
import { applyJsonPatch } from '../patch/json-patch.js';
import { applyMergePatch } from '../patch/merge-patch.js';
import { applyStrategicMergePatch } from '../patch/strategic-merge-patch.js';
import { badRequest, StatusError } from '../status.js';
import { tracked, type Writer } from './changes.js';
import type { LeaseName } from './context.js';
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
      read: (body) => ownWords('json patch ', decodingError(readJsonPatch, body)),
      apply: applyJsonPatch,
      shown: (_, result) => JSON.stringify(result),
    }),
  ],
  [
    'application/merge-patch+json',
    change({
      read: (body) => decodingError(readJsonPatch, body),
      apply: applyMergePatch,
      shown: (_, result) => JSON.stringify(result),
    }),
  ],
  [
    'application/strategic-merge-patch+json',
    change({ read: (body) => decodingError(readJsonPatch, body, ''), apply: applyStrategicMergePatch, shown: goText }),
  ],
]);

/** The content type of patches that are applied. */
export const applyType = 'application/apply-patch+yaml';

/** An apply: a patch that creates what is not there. */
export interface SentApply extends SentPatch {
  readonly lease: LeaseName;
  readonly force: boolean;
}

/** Applies a patch. @throws {StatusError} */
export function applyPatch({ body, validation, manager, clock, lease, force }: SentApply, live: LiveLease | undefined): Changed {
  const { value, complaints } = decodingError(readYamlPatch, body);
  const now = toTime(clock.wallMs());
  const applied = apply({ live: live?.object, patch: withoutOwn(value), manager, force, now });
  const [complaint] = complaints;
  if (validation === 'Strict' && complaint !== undefined) throw badRequest(`error strict decoding patch: ${complaint}`);
  return { object: readApplied(applied, lease), warnings: validation === 'Warn' ? complaints.flatMap(linesOf) : [] };
}

/** The steps of a patch. */
interface Steps {
  read(body: Uint8Array): PatchBody;
  apply(object: LeaseObject, patch: unknown): Json;
  /** What a refusal quotes when the result is no lease. */
  shown(patch: Json, result: Json): string;
}

/** Clients patch what they are shown; what they write of this server's own is then dropped. */
function change(steps: Steps): PatchLease {
  return ({ body, validation, ...writer }, live) => {
    const { value, complaints } = steps.read(body);
    const result = steps.apply(toObject(live.record), value);
    const refuse = (why: string): StatusError => patchedUnreadable(steps.shown(value, result), why);
    const patched = readPatched(result, refuse);
    const all = [...complaints, ...patched.complaints];
    if (validation === 'Strict' && all.length > 0) throw refuse(strictError(all));
    const object = tracked(withoutOwnAnnotations(patched.object), live, writer);
    return { object, warnings: validation === 'Warn' ? all : [] };
  };
}

function readPatched(result: Json, refuse: (why: string) => StatusError): PatchedLease {
  try {
    return leaseFromJson(result);
  } catch (error) {
    throw error instanceof DocumentError ? refuse(error.message) : error;
  }
}

/** An applied object with times as they are stored. @throws {StatusError} 500, as kube-apiserver has it: a time is none. */
function readApplied(applied: LeaseObject, { namespace, name }: LeaseName): LeaseObject {
  const type = 'coordination.k8s.io/v1, Kind=Lease';
  const unconvertible = `unable to convert unstructured object to ${type}`;
  const { object } = readPatched(applied as unknown as Json, (why) => {
    const message = `failed to convert new object (${namespace}/${name}; ${type}) to proper version: ${unconvertible}: ${why}`;
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
