import {
  invalidField,
  type BusyLease,
  type EventReason,
  type EventType,
  type LeaseRecord,
  type LeaseState,
  type StringMap,
  type WatchEvent,
} from '@leasehold/core';
import type { Duration } from '@leasehold/proto/google/protobuf/duration';
import type { Timestamp } from '@leasehold/proto/google/protobuf/timestamp';
import * as wire from '@leasehold/proto/leasehold/v1/lease';

/*
 * Between the wire and the domain. The one file where durations and timestamps are converted: milliseconds as numbers inside,
 * seconds and nanoseconds outside.
 */

/**
 * Reads a duration that must be given, in milliseconds; a part of one rounds up.
 *
 * @throws {LeaseError} `INVALID_FIELD`: missing, negative or out of protobuf's range.
 */
export function requiredMs(field: string, duration: Duration | undefined): number {
  if (duration === undefined) {
    throw invalidField(field, 'is required', 'none');
  }
  return toMs(field, duration);
}

/** Reads a duration that may be left out; then `undefined`. @throws {LeaseError} `INVALID_FIELD` as `requiredMs`. */
export function optionalMs(field: string, duration: Duration | undefined): number | undefined {
  return duration && toMs(field, duration);
}

/** Writes milliseconds as a duration, rounded down to microseconds. Negative ones become 0: what is over has no time left. */
export function toDuration(ms: number): Duration {
  const micros = Math.max(0, Math.floor(ms * 1000));
  return { seconds: BigInt(Math.floor(micros / 1e6)), nanos: (micros % 1e6) * 1000 };
}

/** Writes what may be absent. */
export function toOptionalDuration(ms: number | undefined): Duration | undefined {
  return ms === undefined ? undefined : toDuration(ms);
}

/** Writes a time of the wall clock; 0 means that there is none. */
export function toTimestamp(ms: number): Timestamp | undefined {
  if (ms === 0) {
    return undefined;
  }
  const micros = Math.floor(ms * 1000);
  const seconds = Math.floor(micros / 1e6);
  return { seconds: BigInt(seconds), nanos: (micros - seconds * 1e6) * 1000 };
}

/** Reads labels or annotations where an empty map means that nothing was asked for. */
export function toOptionalMap(map: StringMap): StringMap | undefined {
  for (const _ in map) {
    return map;
  }
  return undefined;
}

/** Writes a lease; `remainingMs` is what is live about it. */
export function toLease(record: LeaseRecord, remainingMs: number | undefined): wire.Lease {
  return {
    namespace: record.namespace,
    name: record.name,
    uid: record.uid,
    holder: record.holder,
    duration: record.durationMs === 0 ? undefined : toDuration(record.durationMs),
    fencingToken: record.fencingToken,
    resourceVersion: record.resourceVersion,
    state: states[record.state],
    createTime: toTimestamp(record.createTimeMs),
    acquireTime: toTimestamp(record.acquireTimeMs),
    renewTime: toTimestamp(record.renewTimeMs),
    remaining: toOptionalDuration(remainingMs),
    transitions: BigInt(record.transitions),
    labels: record.labels,
    annotations: record.annotations,
    lockDelay: record.lockDelayMs === 0 ? undefined : toDuration(record.lockDelayMs),
    keepAfterExpiry: toOptionalDuration(record.keepAfterExpiryMs),
    revoking: record.revoking !== undefined,
  };
}

/** Writes who is in the way. */
export function toBusy(busy: BusyLease): wire.Busy {
  return {
    holder: busy.holder,
    fencingToken: busy.fencingToken,
    remaining: toDuration(busy.remainingMs),
    timedOut: busy.timedOut,
  };
}

/** Writes an event. Its lease has no `remaining`: an event tells what was committed, the same whenever it is read. */
export function toEvent(event: WatchEvent): wire.Event {
  return {
    type: eventTypes[event.type],
    lease: toLease(event.lease, undefined),
    reason: eventReasons[event.reason],
    revision: event.revision,
    wasSelected: event.wasSelected,
  };
}

const states: Readonly<Record<LeaseState, wire.LeaseState>> = wire.LeaseState;

const eventTypes: Readonly<Record<EventType, wire.EventType>> = wire.EventType;

const eventReasons: Readonly<Record<EventReason, wire.EventReason>> = wire.EventReason;

/** Protobuf's own bound: 10,000 years. */
const secondsMax = 315_576_000_000n;

function toMs(field: string, { seconds, nanos }: Duration): number {
  const negative = seconds < 0n || nanos < 0;
  const mixed = (seconds < 0n && nanos > 0) || (seconds > 0n && nanos < 0);
  if (nanos <= -1e9 || nanos >= 1e9 || mixed) {
    throw invalidField(field, 'must have nanos below a second, of the sign of its seconds', `${seconds} s and ${nanos} ns`);
  }
  if (negative) {
    throw invalidField(field, 'must not be negative', `${seconds} s and ${nanos} ns`);
  }
  if (seconds > secondsMax) {
    throw invalidField(field, `must have at most ${secondsMax} s`, `${seconds} s`);
  }
  return Number(seconds) * 1000 + Math.ceil(nanos / 1e6);
}
