import { LeaseError, type AnswerTo, type LeaseRecord } from '@leasehold/core';
import { admitCreate, admitUpdate } from '../admission.js';
import { toClientObject, toObject, toWrite, type LiveLease } from '../convert.js';
import type { LeaseObject } from '../lease-object.js';
import { leaseModified, leaseRefusal } from '../lease-refusal.js';
import { settleTimes } from '../managed-fields/settle-times.js';
import type { ApiRequest } from '../request.js';
import { objectInvalid, StatusError, warned } from '../status.js';
import { invalid } from '../validation/causes.js';
import { parseVersion } from '../versions.js';
import { findLease, type LeaseContext, type LeaseName } from './context.js';

/** A write on top of what there is. */
export interface Write {
  readonly request: ApiRequest;
  readonly lease: LeaseName;
  readonly dryRun: boolean;
  /**
   * Makes the object that is to be written, with its managers, out of the one that is there. Called again when that has changed before
   * it could be written. @throws {StatusError}
   */
  change(live: LiveLease | undefined): Changed;
}

/** An object that is to be written. */
export interface Changed {
  readonly object: LeaseObject;
  readonly warnings: readonly string[];
}

/** An object that has been written. */
export interface Written extends Changed {
  readonly created: boolean;
}

/**
 * Writes a lease, guarded by the version that the new object was made from. Is that another one by then, the object is made again, and
 * whoever has named the version finds out there.
 *
 * @throws {StatusError}
 */
export async function writeLease(context: LeaseContext, write: Write): Promise<Written> {
  const { lease, request } = write;
  for (let attempt = 1; ; attempt += 1) {
    const record = findLease(context.engine.current(), lease);
    const warnings: string[] = [];
    try {
      return await attemptWrite(context, write, record, warnings);
    } catch (error) {
      if (!isRace(error, record)) throw warned(leaseRefusal(error, lease.name), warnings);
      if (attempt === attemptsMax || request.signal.aborted) throw leaseModified(lease.name);
    }
  }
}

/** Creates a lease that has been admitted. @throws {LeaseError} */
export async function submitCreate(context: LeaseContext, creation: Creation, object: LeaseObject): Promise<LeaseObject> {
  const { record } = await submit(context, creation, { object, live: undefined });
  return toObject(record);
}

/** What a creation has of a write. */
export type Creation = Pick<Write, 'request' | 'dryRun'>;

/** How often an object is made anew. So many writers of one lease at once cannot be. */
const attemptsMax = 100;

/** @param heard takes the warnings, should the rest go wrong. */
async function attemptWrite(
  context: LeaseContext,
  write: Write,
  record: LeaseRecord | undefined,
  heard: string[],
): Promise<Written> {
  const live = record === undefined ? undefined : { record, object: toClientObject(record) };
  const { object, warnings } = write.change(live);
  heard.push(...warnings);
  const version = versionOf(object);
  if (live === undefined) {
    const admitted = admitCreate(object);
    await write.lease.askToCreate?.();
    const created = await submitCreate(context, write, admitted);
    return { object: write.dryRun ? withVersion(created, version) : created, warnings, created: true };
  }
  checkVersion(version, live.record);
  const admitted = settleTimes(live.object, admitUpdate(object, live.object));
  const answer = await submit(context, write, { object: admitted, live });
  return { object: answer.kind === 'deleted' ? admitted : toObject(answer.record), warnings, created: false };
}

/** What is only tried out keeps the version that it was sent with, as kube-apiserver has it. */
function withVersion(object: LeaseObject, version: bigint): LeaseObject {
  return version === 0n ? object : { ...object, metadata: { ...object.metadata, resourceVersion: String(version) } };
}

/** Somebody else has written, made or deleted the lease after it was read. */
function isRace(error: unknown, record: LeaseRecord | undefined): boolean {
  if (!(error instanceof LeaseError)) return false;
  return record === undefined
    ? error.reason === 'LEASE_EXISTS'
    : error.reason === 'STALE_VERSION' || error.reason === 'LEASE_NOT_FOUND';
}

function submit(
  { engine, strict }: LeaseContext,
  { request, dryRun }: Creation,
  { object, live }: { readonly object: LeaseObject; readonly live: LiveLease | undefined },
): Promise<AnswerTo<'write'>> {
  const { namespace = '', name = '' } = object.metadata;
  const { readAtMs } = request;
  return engine.current().submit({ kind: 'write', namespace, name, ...toWrite(object, live), readAtMs, strict, dryRun });
}

/** The version that an object says it was made from; 0: it does not say. @throws {StatusError} 500, as kube-apiserver has it */
function versionOf({ metadata: { resourceVersion = '' } }: LeaseObject): bigint {
  return resourceVersion === '' ? 0n : parseVersion(resourceVersion, (why) => new StatusError(500, '', why));
}

function checkVersion(version: bigint, { name, resourceVersion }: LeaseRecord): void {
  if (version === 0n) {
    const cause = invalid('metadata.resourceVersion', 0, 'must be specified for an update');
    throw objectInvalid({ group: 'coordination.k8s.io', kind: 'leases' }, name, [cause]);
  }
  if (version !== resourceVersion) throw leaseModified(name);
}
