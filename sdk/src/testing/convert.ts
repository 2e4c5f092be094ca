import { type BusyLease, LeaseError, type LeaseRecord, type WatchEvent } from '@leasehold/core';
import { type LeaseholdError, UnavailableError } from '../errors.js';
import { typedError } from '../transport/status.js';
import type { Busy, Lease, LeaseEvent } from '../types.js';

/**
 * The domain to what the SDK speaks. It comes to the same as over gRPC, where times and durations have microseconds.
 */

/** A lease; `remainingMs` is what is live about it. */
export function toLease(record: LeaseRecord, remainingMs: number | undefined): Lease {
  return {
    namespace: record.namespace,
    name: record.name,
    uid: record.uid,
    state: record.state,
    holder: record.holder,
    durationMs: record.durationMs,
    fencingToken: record.fencingToken,
    resourceVersion: record.resourceVersion,
    transitions: record.transitions,
    createTime: toDate(record.createTimeMs),
    acquireTime: toDate(record.acquireTimeMs),
    renewTime: toDate(record.renewTimeMs),
    remainingMs: remainingMs === undefined ? undefined : toTimeLeft(remainingMs),
    labels: { ...record.labels },
    annotations: { ...record.annotations },
    lockDelayMs: record.lockDelayMs,
    keepAfterExpiryMs: record.keepAfterExpiryMs,
    revoking: record.revoking !== undefined,
  };
}

/** Who is in the way. */
export function toBusy({ holder, fencingToken, remainingMs, timedOut }: BusyLease): Busy {
  return { holder, fencingToken, remainingMs: toTimeLeft(remainingMs), timedOut };
}

/** An event, whose lease has no time left: it tells what was committed. */
export function toEvent({ type, lease, reason, revision, wasSelected }: WatchEvent): LeaseEvent {
  return { type, lease: toLease(lease, undefined), reason, revision, wasSelected };
}

/** Time left, which is never negative and rounds down. */
export function toTimeLeft(ms: number): number {
  return Math.max(0, Math.floor(ms * 1000)) / 1000;
}

/** A refusal as the typed error that a client gets. */
export function toTypedError(error: unknown): LeaseholdError {
  if (!(error instanceof LeaseError)) {
    return typedError({ code: 'INTERNAL', reason: '', message: 'Internal error', data: {} }, error);
  }
  const { code, reason, message, detail } = error;
  const said = Object.entries(detail).filter(([, value]) => value !== undefined && value !== '' && value !== 0n);
  const left = detail.remainingMs === undefined ? {} : { remainingMs: toTimeLeft(detail.remainingMs) };
  return typedError({ code, reason, message, data: { ...Object.fromEntries(said), ...left } });
}

/** No server can be reached. */
export function unreachable(why: string): UnavailableError {
  return new UnavailableError({ code: 'UNAVAILABLE', reason: 'UNAVAILABLE', message: `UNAVAILABLE: ${why}`, retryable: true });
}

function toDate(ms: number): Date | undefined {
  return ms === 0 ? undefined : new Date(Math.floor(ms * 1000) / 1000);
}
