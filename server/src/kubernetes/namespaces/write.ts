import { checkName } from '../admission.js';
import { decodeObject, type Decoded, type FieldValidation } from '../codec/decode.js';
import { DocumentError } from '../codec/document.js';
import { namespaceKind } from '../codec/kinds.js';
import { mediaTypes } from '../codec/media-type.js';
import { readJsonPatch } from '../codec/patch-body.js';
import { warningHeader } from '../codec/warnings.js';
import { readDeleteOptions } from '../handlers/delete-options.js';
import { applyType } from '../handlers/patch-changes.js';
import { patchTypeOf } from '../handlers/patch.js';
import { readWriteOptions } from '../handlers/write-options.js';
import type { CoordinatorHolder } from '../health.js';
import { isObject } from '../json.js';
import type { NamespaceObject } from '../objects.js';
import { render, renderAs } from '../render.js';
import type { ApiAnswer, ApiRequest } from '../request.js';
import { badRequest, objectInvalid, StatusError, type Status } from '../status.js';
import { invalid, required } from '../validation/causes.js';
import { namespaceComplaints } from '../validation/formats.js';
import { always, checkNamespace, detailsOf, namespaceLines, toNamespace } from './namespace.js';

/*
 * Writes of namespaces: they are checked, and change nothing. Whoever sets up a cluster with manifests finds that all is well.
 */

/** Creates a namespace, which is there already. */
export function postNamespace(engine: CoordinatorHolder, request: ApiRequest): ApiAnswer {
  const { validation } = readWriteOptions(request, 'create');
  const { object, warnings } = decode(request, validation);
  const { name = '' } = object.metadata;
  const causes =
    name === ''
      ? [required('metadata.name', 'name or generateName is required')]
      : namespaceComplaints(name).map((complaint) => invalid('metadata.name', name, complaint));
  if (causes.length > 0) throw objectInvalid({ group: '', kind: 'Namespace' }, name, causes);
  return shown(engine, request, { code: 201, name, warnings });
}

/** Replaces a namespace, which stays as it is. */
export function putNamespace(engine: CoordinatorHolder, request: ApiRequest, name: string): ApiAnswer {
  const { validation } = readWriteOptions(request, 'update');
  const { object, warnings } = decode(request, validation);
  checkName(object.metadata, name);
  return shown(engine, request, { code: 200, name, warnings });
}

/** Patches a namespace, which stays as it is. */
export function patchNamespace(engine: CoordinatorHolder, request: ApiRequest, name: string): ApiAnswer {
  const type = patchTypeOf(request);
  if (type !== applyType) {
    readWriteOptions(request, 'patch');
    checkPatch(request.body, type);
    return shown(engine, request, { code: 200, name, warnings: [] });
  }
  const { validation } = readWriteOptions(request, 'apply');
  const { object, warnings } = decode(request, validation, mediaTypes.yaml);
  checkName({ name, ...object.metadata }, name);
  return shown(engine, request, { code: 200, name, warnings });
}

/** Deletes a namespace, which is gone as soon as it has no leases. It takes none with it: that is up to whoever has them. */
export function deleteNamespace(engine: CoordinatorHolder, request: ApiRequest, name: string): ApiAnswer {
  readDeleteOptions(request);
  checkNamespace(name);
  const details = detailsOf(name);
  if (always.includes(name)) {
    const message = `namespaces "${name}" is forbidden: this namespace may not be deleted`;
    throw new StatusError(403, 'Forbidden', message, { details });
  }
  if (engine.current().namespaces().includes(name)) {
    const why = 'it has leases, and is gone when they are deleted';
    throw new StatusError(409, 'Conflict', `Operation cannot be fulfilled on namespaces "${name}": ${why}`, { details });
  }
  const deleted: Status = { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', details };
  return render(request, 200, deleted);
}

function decode(
  { body, header }: ApiRequest,
  validation: FieldValidation,
  contentType = header('content-type'),
): Decoded<NamespaceObject> {
  return decodeObject(namespaceKind, body, contentType, validation);
}

function checkPatch(body: Uint8Array, type: string): void {
  try {
    const { value } = readJsonPatch(body);
    const isWellFormed = type === jsonPatchType ? Array.isArray(value) : isObject(value);
    if (!isWellFormed) throw new DocumentError(`a patch of type ${type} is ${type === jsonPatchType ? 'an array' : 'an object'}`);
  } catch (error) {
    throw error instanceof DocumentError ? badRequest(`error decoding patch: ${error.message}`) : error;
  }
}

const jsonPatchType = 'application/json-patch+json';

interface Answer {
  readonly code: number;
  readonly name: string;
  readonly warnings: readonly string[];
}

function shown(engine: CoordinatorHolder, request: ApiRequest, { code, name, warnings }: Answer): ApiAnswer {
  checkNamespace(name);
  const answer = renderAs(request, code, toNamespace(name, engine.current().revision), namespaceLines);
  return warnings.length === 0 ? answer : { ...answer, headers: { warning: warningHeader(warnings) } };
}
