import { finalizersInTheWay, LeaseError, markedPart, type LeaseRecord } from '@leasehold/core';
import { toObject } from '../convert.js';
import { leaseModified, leaseRefusal } from '../lease-refusal.js';
import type { DeleteOptions } from '../objects.js';
import type { ApiAnswer, ApiRequest } from '../request.js';
import { leaseNotFound, StatusError, type Status } from '../status.js';
import { findLease, type LeaseContext, type LeaseName } from './context.js';
import { readDeleteOptions } from './delete-options.js';
import { Reply } from './reply.js';

/** Deletes a lease. One with finalizers is only marked, and shown; of one that is gone a Status tells. */
export async function deleteLease(context: LeaseContext, request: ApiRequest, lease: LeaseName): Promise<ApiAnswer> {
  const reply = new Reply(request, context.clock);
  const options = readDeleteOptions(request);
  const record = await removeLease(context, lease, options);
  if (isMarked(record)) return reply.with(options.orphanDependents === false ? 202 : 200, toObject(record));
  return reply.with(200, deleted(record));
}

/**
 * Deletes a lease, whoever holds it. What was granted over gRPC keeps its name reserved for as long as its holder may believe to hold
 * it; what was granted over this API is gone at once, as Kubernetes has it.
 *
 * @returns the record as it was last, or as it is with the mark.
 * @throws {StatusError}
 */
export async function removeLease(context: LeaseContext, lease: LeaseName, options: DeleteOptions): Promise<LeaseRecord> {
  const { namespace, name } = lease;
  for (let attempt = 1; ; attempt += 1) {
    const coordinator = context.engine.current();
    const record = findLease(coordinator, lease);
    if (record === undefined) throw leaseNotFound(name);
    checkPreconditions(record, options);
    if ((options.dryRun ?? []).length > 0) return preview(record, context);
    const { uid, resourceVersion, origin } = record;
    try {
      // Guarded by the version: who holds it by then decides whether it may go at once.
      const guards = { uid, resourceVersion, fencingToken: 0n, force: origin === 'kubernetes' };
      return (await coordinator.submit({ kind: 'delete', namespace, name, ...guards })).record;
    } catch (error) {
      const isRace = error instanceof LeaseError && (error.reason === 'STALE_VERSION' || error.reason === 'LEASE_LOST');
      if (!isRace) throw leaseRefusal(error, name);
      if (attempt === attemptsMax) throw leaseModified(name);
    }
  }
}

const attemptsMax = 100;

/** Whether a record waits for its finalizers. */
function isMarked({ kubernetes }: LeaseRecord): boolean {
  return kubernetes?.deletionTimeMs !== undefined;
}

/** What a deletion would leave. */
function preview(record: LeaseRecord, { clock }: LeaseContext): LeaseRecord {
  const { kubernetes } = record;
  if (kubernetes === undefined || kubernetes.deletionTimeMs !== undefined) return record;
  if (finalizersInTheWay(kubernetes).length === 0) return record;
  return { ...record, kubernetes: markedPart(kubernetes, clock.wallMs()) };
}

function deleted({ name, uid }: LeaseRecord): Status {
  const details = { name, group: 'coordination.k8s.io', kind: 'leases', uid };
  return { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', details };
}

function checkPreconditions(record: LeaseRecord, { preconditions: { uid, resourceVersion } = {} }: DeleteOptions): void {
  const version = String(record.resourceVersion);
  if (uid !== undefined && uid !== record.uid) {
    const what = `the UID in the precondition (${uid}) does not match the UID in record (${record.uid})`;
    throw preconditionFailed(record, `${what}. The object might have been deleted and then recreated`);
  }
  if (resourceVersion !== undefined && resourceVersion !== version) {
    const what = `the ResourceVersion in the precondition (${resourceVersion}) does not match the ResourceVersion in record (${version})`;
    throw preconditionFailed(record, `${what}. The object might have been modified`);
  }
}

/** 409, which names the kind where others name the resource. */
function preconditionFailed({ name }: LeaseRecord, why: string): StatusError {
  const message = `Operation cannot be fulfilled on Lease.coordination.k8s.io "${name}": ${why}`;
  return new StatusError(409, 'Conflict', message, { details: { name, group: 'coordination.k8s.io', kind: 'Lease' } });
}
