import type { Duration } from '@leasehold/proto/google/protobuf/duration';
import type { Timestamp } from '@leasehold/proto/google/protobuf/timestamp';
import * as wire from '@leasehold/proto/leasehold/v1/lease';
import { HeartbeatLossReason, HeartbeatRefusal } from '@leasehold/proto/leasehold/v1/lease_service';
import { LeaseholdError } from '../errors.js';
import type { Busy, Lease, LeaseEvent, LeaseEventReason, LeaseEventType, LeaseState } from '../types.js';
import type { HeartbeatException, LossReason } from './transport.js';

/**
 * Generated types to plain ones and back. The only place that knows `Duration`, `Timestamp` and the numbers of enums.
 */

/** Milliseconds to a `Duration`, to the microsecond. */
export function toDuration(ms: number): Duration {
  const micros = Math.round(ms * 1000);
  return { seconds: BigInt(Math.trunc(micros / 1e6)), nanos: (micros % 1e6) * 1000 };
}

/** The same for what may be left out. */
export function toOptionalDuration(ms: number | undefined): Duration | undefined {
  return ms === undefined ? undefined : toDuration(ms);
}

/** A `Duration` to milliseconds; unset is 0. */
export function toMs(duration: Duration | undefined): number {
  return duration === undefined ? 0 : Number(duration.seconds) * 1000 + duration.nanos / 1e6;
}

/** The same where unset means something else than 0. */
export function toOptionalMs(duration: Duration | undefined): number | undefined {
  return duration === undefined ? undefined : toMs(duration);
}

/** A lease from the wire. */
export function toLease(lease: wire.Lease | undefined): Lease {
  if (lease === undefined) throw unexpected('a lease', 'nothing');
  return {
    namespace: lease.namespace,
    name: lease.name,
    uid: lease.uid,
    state: named(leaseStates, lease.state, 'lease state'),
    holder: lease.holder,
    durationMs: toMs(lease.duration),
    fencingToken: lease.fencingToken,
    resourceVersion: lease.resourceVersion,
    transitions: Number(lease.transitions),
    createTime: toDate(lease.createTime),
    acquireTime: toDate(lease.acquireTime),
    renewTime: toDate(lease.renewTime),
    remainingMs: toOptionalMs(lease.remaining),
    labels: lease.labels,
    annotations: lease.annotations,
    lockDelayMs: toMs(lease.lockDelay),
    keepAfterExpiryMs: toOptionalMs(lease.keepAfterExpiry),
    revoking: lease.revoking,
  };
}

/** A busy answer from the wire. */
export function toBusy(busy: wire.Busy): Busy {
  return {
    holder: busy.holder,
    fencingToken: busy.fencingToken,
    remainingMs: toMs(busy.remaining),
    timedOut: busy.timedOut,
  };
}

/** An event from the wire. */
export function toEvent(event: wire.Event): LeaseEvent {
  return {
    type: named(eventTypes, event.type, 'event type'),
    lease: toLease(event.lease),
    reason: eventReasons.get(event.reason),
    revision: event.revision,
    wasSelected: event.wasSelected,
  };
}

/** Why a beat did not renew; one that this SDK does not know yet counts as undecided. */
export function toRefusal(refusal: HeartbeatRefusal): HeartbeatException['refusal'] {
  return refusals.get(refusal) ?? 'ENDING';
}

/** Why a lease was lost; a reason that this SDK does not know yet is a loss all the same. */
export function toLossReason(reason: HeartbeatLossReason): LossReason {
  return lossReasons.get(reason) ?? 'REVOKED';
}

/** An answer that does not follow the contract. */
export function unexpected(wanted: string, got: string): LeaseholdError {
  const message = `Read the answer: expected ${wanted}, got ${got}`;
  return new LeaseholdError({ code: 'INTERNAL', reason: 'UNEXPECTED_ANSWER', message });
}

const leaseStates = new Map<number, LeaseState>([
  [wire.LeaseState.AVAILABLE, 'AVAILABLE'],
  [wire.LeaseState.HELD, 'HELD'],
  [wire.LeaseState.EXPIRED, 'EXPIRED'],
]);

const eventTypes = new Map<number, LeaseEventType>([
  [wire.EventType.CREATED, 'CREATED'],
  [wire.EventType.ACQUIRED, 'ACQUIRED'],
  [wire.EventType.RENEWED, 'RENEWED'],
  [wire.EventType.RELEASED, 'RELEASED'],
  [wire.EventType.EXPIRED, 'EXPIRED'],
  [wire.EventType.UPDATED, 'UPDATED'],
  [wire.EventType.DELETED, 'DELETED'],
]);

const eventReasons = new Map<number, LeaseEventReason>([
  [wire.EventReason.REQUESTED, 'REQUESTED'],
  [wire.EventReason.EXPIRED, 'EXPIRED'],
  [wire.EventReason.REVOKING, 'REVOKING'],
  [wire.EventReason.REVOKED, 'REVOKED'],
  [wire.EventReason.HANDED_OVER, 'HANDED_OVER'],
  [wire.EventReason.COLLECTED, 'COLLECTED'],
  [wire.EventReason.ABANDONED, 'ABANDONED'],
  [wire.EventReason.UNSELECTED, 'UNSELECTED'],
]);

const refusals = new Map<number, HeartbeatException['refusal']>([
  [HeartbeatRefusal.NOT_ATTACHED, 'NOT_ATTACHED'],
  [HeartbeatRefusal.ENDING, 'ENDING'],
  [HeartbeatRefusal.LOST, 'LOST'],
  [HeartbeatRefusal.MOVED, 'MOVED'],
]);

const lossReasons = new Map<number, LossReason>([
  [HeartbeatLossReason.EXPIRED, 'EXPIRED'],
  [HeartbeatLossReason.RELEASED, 'RELEASED'],
  [HeartbeatLossReason.REVOKED, 'REVOKED'],
  [HeartbeatLossReason.DELETED, 'DELETED'],
  [HeartbeatLossReason.MOVED, 'MOVED'],
]);

/** A newer server may send a number that the generated type does not know. */
function named<T>(names: ReadonlyMap<number, T>, value: number, what: string): T {
  const name = names.get(value);
  if (name === undefined) throw unexpected(`a known ${what}`, String(value));
  return name;
}

function toDate(timestamp: Timestamp | undefined): Date | undefined {
  return timestamp === undefined ? undefined : new Date(Number(timestamp.seconds) * 1000 + timestamp.nanos / 1e6);
}
