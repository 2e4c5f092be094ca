import { LeaseError } from '@leasehold/core';
import { admitCreate, inPlace, withoutServersOwn, withOwnersOnce } from '../admission.js';
import { decodeLease } from '../codec/decode.js';
import { goQuote } from '../codec/go-quote.js';
import { withoutOwnAnnotations } from '../convert.js';
import type { LeaseObject } from '../lease-object.js';
import { leaseRefusal } from '../lease-refusal.js';
import type { ApiAnswer, ApiRequest } from '../request.js';
import { StatusError, warned } from '../status.js';
import { isVersion } from '../versions.js';
import { ownerWarnings, tracked } from './changes.js';
import { findLease, type LeaseContext } from './context.js';
import { Reply } from './reply.js';
import { readWriteOptions } from './write-options.js';
import { submitCreate, type Creation } from './write.js';

/** Creates a lease out of a body, under its name or one that begins with its `generateName`. */
export async function postLease(context: LeaseContext, request: ApiRequest, namespace: string): Promise<ApiAnswer> {
  const { clock } = context;
  const reply = new Reply(request, clock);
  const { manager, validation, dryRun } = readWriteOptions(request, 'create');
  const sent = decodeLease(request.body, request.header('content-type'), validation);
  const warnings = [...sent.warnings];
  try {
    const { object, twice } = withOwnersOnce(inPlace(withoutOwnAnnotations(sent.object), { namespace, name: undefined }));
    warnings.push(...ownerWarnings(twice));
    const stated = tracked(withoutServersOwn(object), undefined, { manager, clock });
    return reply.with(201, await createNamed(context, { request, dryRun }, stated), warnings);
  } catch (error) {
    throw warned(error, warnings);
  }
}

/** How many names are tried (maxNameGenerationCreateAttempts of kube-apiserver). */
const namesMax = 8;

/** How long the beginning of a generated name can be (MaxGeneratedNameLength of kube-apiserver). */
const prefixMax = 58;

async function createNamed(context: LeaseContext, creation: Creation, object: LeaseObject): Promise<LeaseObject> {
  const { name = '', generateName = '' } = object.metadata;
  const isGenerated = name === '' && generateName !== '';
  for (let attempt = 1; ; attempt += 1) {
    const given = isGenerated ? `${generateName.slice(0, prefixMax)}${context.newSuffix()}` : name;
    const admitted = admitCreate({ ...object, metadata: { ...object.metadata, name: given } });
    refuseVersion(object);
    try {
      return await submitCreate(context, creation, admitted);
    } catch (error) {
      if (!isGenerated || attempt === namesMax || !isTaken(error)) throw refusalOf(error, admitted, context);
    }
  }
}

/** @throws {StatusError} 500, as kube-apiserver has it: the object says that it is there already. */
function refuseVersion({ metadata: { resourceVersion = '' } }: LeaseObject): void {
  if (isVersion(resourceVersion) && !/^0+$/.test(resourceVersion)) {
    throw new StatusError(500, '', 'resourceVersion should not be set on objects to be created');
  }
}

function isTaken(error: unknown): boolean {
  return error instanceof LeaseError && (error.reason === 'LEASE_EXISTS' || error.reason === 'NAME_RESERVED');
}

function refusalOf(error: unknown, { metadata }: LeaseObject, { engine }: LeaseContext): unknown {
  const { name = '', namespace = '', generateName = '' } = metadata;
  if (!(error instanceof LeaseError && error.reason === 'LEASE_EXISTS')) return leaseRefusal(error, name);
  const message = `leases.coordination.k8s.io ${goQuote(name)} already exists`;
  const details = { name, group: 'coordination.k8s.io', kind: 'leases' };
  if (generateName !== '') {
    const noName = `${message}, the server was not able to generate a unique name for the object`;
    return new StatusError(409, 'AlreadyExists', noName, { details: { ...details, retryAfterSeconds: 1 } });
  }
  const isGoing = findLease(engine.current(), { namespace, name })?.kubernetes?.deletionTimeMs !== undefined;
  return new StatusError(409, 'AlreadyExists', isGoing ? `object is being deleted: ${message}` : message, { details });
}
