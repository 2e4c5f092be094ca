import { objectOr, withSortedKeys, type Json, type JsonObject } from '../json.js';
import type { LeaseObject } from '../lease-object.js';
import type { DeleteOptions } from '../objects.js';
import { badRequest, type StatusError } from '../status.js';
import { DocumentError, DocumentObject, fromPlain, type DocumentValue } from './document.js';
import { openEnvelope } from './envelope.js';
import { goQuote } from './go-quote.js';
import { decodeDocument, describe, type DecodedDocument } from './json-decode.js';
import { parseJson, toText } from './json-parse.js';
import { deleteOptionsKind, leaseKind, type Kind } from './kinds.js';
import { formatOfBody, type Format } from './media-type.js';
import { decodePlain } from './plain-decode.js';
import { readMessage } from './protobuf.js';
import type { Struct } from './schema.js';
import { linesOf, parseYaml, yamlComplaint } from './yaml-decode.js';

/** What is done about fields that do not exist or come twice: nothing, a warning, or a refusal. Kubernetes warns unless told otherwise. */
export type FieldValidation = 'Ignore' | 'Warn' | 'Strict';

/** An object from a body. */
export interface Decoded<T> {
  readonly object: T;
  /** For the `Warning` header. */
  readonly warnings: readonly string[];
}

/**
 * Reads a lease out of a body.
 *
 * @throws StatusError 400, or 415 for a content type that is not known
 */
export function decodeLease(
  body: Uint8Array,
  contentType: string | undefined,
  validation: FieldValidation,
): Decoded<LeaseObject> {
  return decodeObject(leaseKind, body, contentType, validation);
}

/**
 * Reads an object of a kind out of a body. A body without kind and version is taken to be of that kind.
 *
 * @throws StatusError 400, or 415 for a content type that is not known
 */
export function decodeObject<T>(
  kind: Kind<T>,
  body: Uint8Array,
  contentType: string | undefined,
  validation: FieldValidation,
): Decoded<T> {
  const opened = open(kind, body, formatOfBody(contentType));
  const cannot = (why: string): StatusError => {
    const version = opened.apiVersion.split('/').at(-1) ?? '';
    return badRequest(`${opened.kind} in version ${goQuote(version)} cannot be handled as a ${kind.kind}: ${why}`);
  };
  try {
    const isOld = opened.kind === leaseKind.kind && opened.apiVersion === oldVersion;
    const { object, complaints } = decodeOpened(kind, isOld ? { ...opened, apiVersion: leaseKind.apiVersion } : opened);
    if (validation === 'Strict' && complaints.length > 0) throw cannot(strictError(complaints));
    if (isOld)
      throw badRequest(
        `the API version in the data (${oldVersion}) does not match the expected API version (${kind.apiVersion})`,
      );
    return { object, warnings: validation === 'Warn' ? complaints.flatMap(linesOf) : [] };
  } catch (cause) {
    throw cause instanceof DocumentError ? cannot(cause.message) : cause;
  }
}

/**
 * Reads the options of a deletion out of a body, which may name any version of any group.
 *
 * @throws StatusError 400, or 415 for a content type that is not known
 */
export function decodeDeleteOptions(body: Uint8Array, contentType: string | undefined): DeleteOptions {
  try {
    const opened = openBody(body, formatOfBody(contentType));
    if (opened.kind !== '' && opened.kind !== deleteOptionsKind.kind) {
      if (metaKinds.has(opened.kind)) {
        throw new DocumentError(`converting (v1.${opened.kind}) to (v1.DeleteOptions): unknown conversion`);
      }
      const apiVersion = opened.apiVersion === '' ? 'meta.k8s.io/v1' : opened.apiVersion;
      throw unregistered({ ...opened, apiVersion }, metaScheme);
    }
    const { apiVersion, kind, ...options } = opened.decode(deleteOptionsKind.shape).object;
    return options;
  } catch (cause) {
    throw cause instanceof DocumentError ? badRequest(cause.message) : cause;
  }
}

/** A lease that a patch has made. */
export interface PatchedLease {
  readonly object: LeaseObject;
  /** Fields that do not exist, in the words of Kubernetes. */
  readonly complaints: readonly string[];
}

/**
 * Reads a lease out of what a patch has made.
 *
 * @throws DocumentError in the words of Kubernetes
 */
export function leaseFromJson(value: Json): PatchedLease {
  const sorted = withSortedKeys(value);
  const opened = openDocument(fromPlain(sorted), []);
  if (isOpen(leaseKind, opened)) return unversioned(opened.kind, sorted);
  return decodeOpened(leaseKind, opened.apiVersion === oldVersion ? { ...opened, apiVersion: leaseKind.apiVersion } : opened);
}

/**
 * Reads a lease out of what a strategic merge patch or an apply has made, whatever it says of its kind.
 *
 * @throws DocumentError in the words of Kubernetes
 */
export function leaseFromPlain(value: JsonObject): PatchedLease {
  const { object, complaints } = decodePlain(leaseKind.shape, value);
  return { object: { ...object, apiVersion: leaseKind.apiVersion, kind: leaseKind.kind } as LeaseObject, complaints };
}

/** kube-apiserver takes what names no version for an object of its own memory, where all fields are called otherwise. */
function unversioned(kind: string, value: Json): PatchedLease {
  if (kind !== '' && kind !== leaseKind.kind) {
    const where = `the internal version of group "coordination.k8s.io" in scheme ${goQuote(legacyScheme)}`;
    throw new DocumentError(`no kind ${goQuote(kind)} is registered for ${where}`);
  }
  const names = Object.keys(objectOr(value)).filter((name) => name !== 'apiVersion' && name !== 'kind');
  const complaints = names.map((name) => `unknown field ${goQuote(name)}`);
  return { object: { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata: {}, spec: {} }, complaints };
}

/** Leases of this version are known, and are the same. */
const oldVersion = 'coordination.k8s.io/v1beta1';

/** What several complaints come to when they are refused. */
export function strictError(complaints: readonly string[]): string {
  return `strict decoding error: ${complaints.join(', ')}`;
}

/** A body whose kind has been read. */
interface Opened {
  readonly apiVersion: string;
  readonly kind: string;
  readonly decode: (shape: Struct) => DecodedDocument;
}

/** Opens a body and fills in what it does not say about its kind. */
function open<T>(kind: Kind<T>, body: Uint8Array, format: Format): Opened {
  try {
    return withDefaults(kind, openBody(body, format));
  } catch (cause) {
    if (!(cause instanceof DocumentError)) throw cause;
    const what = `the object provided is unrecognized (must be of type ${kind.kind})`;
    throw badRequest(`${what}: ${cause.message} (${summary(body)})`);
  }
}

function openBody(body: Uint8Array, format: Format): Opened {
  if (format === 'protobuf') return openProtobuf(body);
  if (format === 'json') return openDocument(parseJsonBody(body), []);
  const { value, duplicates } = parseYaml(body);
  return openDocument(value, duplicates);
}

function openProtobuf(body: Uint8Array): Opened {
  const { apiVersion, kind, raw } = openEnvelope(body);
  return {
    apiVersion: checkedVersion(apiVersion),
    kind,
    decode: (shape) => ({ object: readMessage(shape, raw), complaints: [] }),
  };
}

function parseJsonBody(body: Uint8Array): DocumentValue {
  try {
    return parseJson(toText(body));
  } catch (cause) {
    throw cause instanceof DocumentError ? unreadableKind(cause.message) : cause;
  }
}

function openDocument(document: DocumentValue, duplicates: readonly string[]): Opened {
  if (document !== null && !(document instanceof DocumentObject)) {
    throw unreadableKind(`json: cannot unmarshal ${describe(document)} into Go value of type ${kindStruct}`);
  }
  const typeMeta = { apiVersion: '', kind: '' };
  document?.names.forEach((name, index) => {
    const value = document.values[index] ?? null;
    // Only here, names count in any case: this part of Kubernetes uses the JSON of Go's library as it is.
    const field = (['apiVersion', 'kind'] as const).find((known) => known.toLowerCase() === name.toLowerCase());
    if (field === undefined || value === null) return;
    if (typeof value !== 'string') {
      throw unreadableKind(`json: cannot unmarshal ${describe(value)} into Go struct field .${field} of type string`);
    }
    typeMeta[field] = value;
  });
  const yaml = duplicates.length === 0 ? [] : [yamlComplaint(duplicates)];
  const decode = (shape: Struct): DecodedDocument => {
    const { object, complaints } = decodeDocument(shape, document);
    return { object, complaints: [...yaml, ...complaints] };
  };
  return { apiVersion: checkedVersion(typeMeta.apiVersion), kind: typeMeta.kind, decode };
}

function withDefaults<T>(kind: Kind<T>, opened: Opened): Opened {
  const apiVersion = isOpen(kind, opened) ? kind.apiVersion : opened.apiVersion;
  return { ...opened, apiVersion, kind: opened.kind === '' ? kind.kind : opened.kind };
}

/** Whether something does not name its version. A group without one does not, either: `coordination.k8s.io/`. */
function isOpen<T>({ apiVersion }: Kind<T>, opened: Opened): boolean {
  return opened.apiVersion === '' || (opened.apiVersion.endsWith('/') && opened.apiVersion === apiVersion.replace(/[^/]+$/, ''));
}

function decodeOpened<T>(kind: Kind<T>, opened: Opened): { object: T; complaints: readonly string[] } {
  const full = withDefaults(kind, opened);
  if (full.kind !== kind.kind || full.apiVersion !== kind.apiVersion) {
    if (kind.kind === leaseKind.kind && isKnown(full)) {
      throw new DocumentError(`converting (v1.${full.kind}) to (coordination.Lease): unknown conversion`);
    }
    throw unregistered(full, legacyScheme);
  }
  const { object, complaints } = opened.decode(kind.shape);
  const named = Object.assign({ apiVersion: '', kind: '' }, object, { apiVersion: kind.apiVersion, kind: kind.kind });
  return { object: named as T, complaints };
}

/** Where Kubernetes keeps which kinds it knows. */
const legacyScheme = 'k8s.io/kubernetes/pkg/api/legacyscheme/scheme.go:30';
const metaScheme = 'k8s.io/apimachinery/pkg/apis/meta/internalversion/scheme/register.go:27';

function unregistered({ apiVersion, kind }: Pick<Opened, 'apiVersion' | 'kind'>, scheme: string): DocumentError {
  return new DocumentError(
    `no kind ${goQuote(kind)} is registered for version ${goQuote(apiVersion)} in scheme ${goQuote(scheme)}`,
  );
}

/** Whether there is such a kind elsewhere in Kubernetes: one that clients send where they mean another. */
function isKnown({ apiVersion, kind }: Pick<Opened, 'apiVersion' | 'kind'>): boolean {
  if (apiVersion === 'v1') return metaKinds.has(kind) || coreKinds.has(kind);
  return apiVersion === leaseKind.apiVersion && (metaKinds.has(kind) || kind === 'LeaseList');
}

const metaKinds: ReadonlySet<string> = new Set(
  ['Create', 'Delete', 'Get', 'List', 'Patch', 'Update'].map((verb) => `${verb}Options`).concat(['Status', 'WatchEvent']),
);
const coreKinds: ReadonlySet<string> = new Set([
  'ConfigMap',
  'Endpoints',
  'Event',
  'List',
  'Namespace',
  'Node',
  'Pod',
  'Secret',
  'Service',
]);

/** @throws DocumentError for what is no version of a group */
function checkedVersion(apiVersion: string): string {
  if (apiVersion.indexOf('/') !== apiVersion.lastIndexOf('/'))
    throw new DocumentError(`unexpected GroupVersion string: ${apiVersion}`);
  return apiVersion === '/' ? '' : apiVersion;
}

function unreadableKind(why: string): DocumentError {
  return new DocumentError(`couldn't get version/kind; json parse error: ${why}`);
}

/** The beginning of a body, as Kubernetes shows what it cannot read. */
function summary(body: Uint8Array): string {
  if (body.length === 0) return '<empty>';
  const more = body.length > summaryMax ? ' ...' : '';
  const beginning = Buffer.from(body.subarray(0, summaryMax));
  return beginning.toString(beginning[0] === openBrace ? 'utf8' : 'hex') + more;
}

const summaryMax = 30;
const openBrace = 0x7b;

/** What Kubernetes reads the kind into, as Go shows that type. */
const kindStruct = 'struct { APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" }';
