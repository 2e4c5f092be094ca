import type { Json } from '../json.js';
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
    const { object, complaints } = decodeOpened(kind, opened);
    if (validation === 'Strict' && complaints.length > 0) throw cannot(strictError(complaints));
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
      throw new DocumentError('decoded object cannot be converted to DeleteOptions');
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
  return decodeOpened(leaseKind, openDocument(fromPlain(value), []));
}

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

function withDefaults<T>({ apiVersion, kind }: Kind<T>, opened: Opened): Opened {
  // A group without a version is open, too: `coordination.k8s.io/`.
  const isOpen = opened.apiVersion === '' || opened.apiVersion === apiVersion.replace(/[^/]+$/, '');
  return { ...opened, apiVersion: isOpen ? apiVersion : opened.apiVersion, kind: opened.kind === '' ? kind : opened.kind };
}

function decodeOpened<T>(kind: Kind<T>, opened: Opened): { object: T; complaints: readonly string[] } {
  const full = withDefaults(kind, opened);
  if (full.kind !== kind.kind || full.apiVersion !== kind.apiVersion) {
    const scheme = 'k8s.io/kubernetes/pkg/api/legacyscheme/scheme.go:30';
    const what = `no kind ${goQuote(full.kind)} is registered for version ${goQuote(full.apiVersion)}`;
    throw new DocumentError(`${what} in scheme ${goQuote(scheme)}`);
  }
  const { object, complaints } = opened.decode(kind.shape);
  const named = Object.assign({ apiVersion: '', kind: '' }, object, { apiVersion: kind.apiVersion, kind: kind.kind });
  return { object: named as T, complaints };
}

/** @throws DocumentError for what is no version of a group */
function checkedVersion(apiVersion: string): string {
  if (apiVersion.split('/').length > 2) throw new DocumentError(`unexpected GroupVersion string: ${apiVersion}`);
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
