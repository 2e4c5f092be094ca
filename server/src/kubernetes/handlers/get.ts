import { toObject } from '../convert.js';
import type { ApiAnswer, ApiRequest } from '../request.js';
import { leaseNotFound } from '../status.js';
import { queriedVersion, refuseFuture } from '../versions.js';
import { findLease, type LeaseContext, type LeaseName } from './context.js';
import { Reply } from './reply.js';

/** Reads a lease. A version that the client has seen elsewhere only counts if this server is behind it. */
export function getLease({ engine, clock }: LeaseContext, request: ApiRequest, lease: LeaseName): ApiAnswer {
  const reply = new Reply(request, clock);
  const coordinator = engine.current();
  refuseFuture(queriedVersion(request.query.get('resourceVersion') ?? ''), coordinator.revision);
  const record = findLease(coordinator, lease);
  if (record === undefined) throw leaseNotFound(lease.name);
  return reply.with(200, toObject(record));
}
