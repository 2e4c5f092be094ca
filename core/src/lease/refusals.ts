import { LeaseError } from './errors.js';
import { isHeld, isVisible, type LeaseRecord } from './record.js';
import { inTheWayMs, type Moment, type Standing } from './situation.js';
import type { LeaseName } from './tenure.js';

/** There is no such lease. */
export function notFound(lease: LeaseName): LeaseError {
  return new LeaseError('LEASE_NOT_FOUND', `Lease ${lease.namespace}/${lease.name} not found`, identity(lease));
}

/**
 * Why a token is not that of the living tenure: its tenure ran out, or ended otherwise, or another one lives.
 */
export function notTheHolder(standing: Standing, record: LeaseRecord, token: bigint, moment: Moment): LeaseError {
  const detail = detailOf(standing, record, moment);
  const name = `${record.namespace}/${record.name}`;
  if (record.state === 'EXPIRED' && record.fencingToken === token) {
    return new LeaseError('LEASE_EXPIRED', `Lease ${name} expired: the tenure of token ${token} ran out`, detail);
  }
  const now = isHeld(record) ? `held by ${JSON.stringify(record.holder)} with token ${record.fencingToken}` : 'held by nobody';
  return new LeaseError(
    'LEASE_LOST',
    `Lease ${name} lost: token ${token} is not that of the living tenure, it is ${now}`,
    detail,
  );
}

/** A revoke has stopped the renewals. */
export function revoked(standing: Standing, record: LeaseRecord, moment: Moment): LeaseError {
  return new LeaseError(
    'LEASE_REVOKED',
    `Lease ${record.namespace}/${record.name} is being revoked: it takes no renewals`,
    detailOf(standing, record, moment),
  );
}

/** A transfer names somebody who does not wait here. */
export function notWaiting(record: LeaseRecord, holder: string): LeaseError {
  return new LeaseError(
    'NOT_WAITING',
    `Transfer of lease ${record.namespace}/${record.name}: ${JSON.stringify(holder)} does not wait for it on this server`,
    identity(record),
  );
}

/** A guard names another version. */
export function staleVersion(record: LeaseRecord, expected: bigint): LeaseError {
  return new LeaseError(
    'STALE_VERSION',
    `Lease ${record.namespace}/${record.name} has resource version ${record.resourceVersion}, expected ${expected}`,
    { ...identity(record), resourceVersion: record.resourceVersion, fencingToken: record.fencingToken, holder: record.holder },
  );
}

/** What callers are told about a lease that is in their way. */
export function detailOf(standing: Standing, record: LeaseRecord, moment: Moment): LeaseError['detail'] {
  return {
    ...identity(record),
    holder: record.holder,
    fencingToken: record.fencingToken,
    resourceVersion: record.resourceVersion,
    remainingMs: inTheWayMs(standing, moment.nowMs),
  };
}

/** The record that callers can see. */
export function visible(standing: Standing): LeaseRecord | undefined {
  return isVisible(standing.record) ? standing.record : undefined;
}

function identity(lease: LeaseName): { namespace: string; name: string } {
  return { namespace: lease.namespace, name: lease.name };
}
