import { toObject } from '../convert.js';
import { readSwitch } from '../query.js';
import type { ApiAnswer, ApiRequest } from '../request.js';
import { badRequest, leaseNotFound } from '../status.js';
import { awaitVersion, queriedVersion } from '../versions.js';
import { findLease, type LeaseContext, type LeaseName } from './context.js';
import { Reply } from './reply.js';

/** Reads a lease. A version that the client has seen elsewhere only counts if this server is behind it. */
export async function getLease({ engine, clock }: LeaseContext, request: ApiRequest, lease: LeaseName): Promise<ApiAnswer> {
  const reply = new Reply(request, clock);
  if (readSwitch(request.query, 'export') === true) throw badRequest(noExport);
  const coordinator = engine.current();
  const version = queriedVersion(request.query.get('resourceVersion') ?? '');
  if (version > 0n) await awaitVersion(coordinator, version);
  const record = findLease(coordinator, lease);
  if (record === undefined) throw leaseNotFound(lease.name);
  return reply.with(200, toObject(record));
}

const noExport = 'the export parameter, deprecated since v1.14, is no longer supported';
