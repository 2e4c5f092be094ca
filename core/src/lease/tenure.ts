import type { Change, EventReason, LeaseEvent } from './change.js';
import type { Claim } from './commands.js';
import { withoutSpec } from './kubernetes.js';
import { emptyMap, isVisible, leaseKey, nobodyElsewhere, type LeaseRecord, type StringMap } from './record.js';
import type { Moment, Queue } from './situation.js';

/** A change, and the waiter whom it grants the lease, if it does. */
export interface Succession {
  readonly change: Change;
  readonly grantedTo: Claim | undefined;
}

/** Identity of the lease that a change is about. */
export interface LeaseName {
  readonly namespace: string;
  readonly name: string;
}

/** The change that grants a lease which nobody has. */
export function grantChange(lease: LeaseName, before: LeaseRecord | undefined, grant: Grant, moment: Moment): Change {
  const { claim, reason } = grant;
  const record = beginTenure(isVisible(before) ? before : newRecord(lease, moment), claim, moment);
  return {
    key: leaseKey(lease.namespace, lease.name),
    expected: before?.resourceVersion ?? 0n,
    record,
    grants: true,
    events: [{ type: 'ACQUIRED', reason, lease: record, previousLabels: visibleLabels(before) }],
  };
}

/** Who is granted a lease, and why now. */
export interface Grant {
  readonly claim: Claim;
  readonly reason: EventReason;
}

/** How a tenure ends. */
export interface Ending {
  readonly type: 'RELEASED' | 'EXPIRED';
  readonly reason: EventReason;
  /** Whether the lock delay of the lease counts: after an expiry or a revoke, not after a release. */
  readonly delayed: boolean;
  /** The waiter who is to be granted next, if it still waits; empty: the first. */
  readonly transferTo: string;
}

/** The record with which a tenure begins. */
export function beginTenure(record: LeaseRecord, claim: Claim, moment: Moment): LeaseRecord {
  const changesHands = record.lastHolder !== '' && record.lastHolder !== claim.holder;
  return {
    ...record,
    state: 'HELD',
    holder: claim.holder,
    lastHolder: claim.holder,
    acquireId: claim.acquireId,
    durationMs: claim.durationMs,
    transitions: record.transitions + (changesHands ? 1 : 0),
    renewals: 0,
    acquireTimeMs: moment.wallMs,
    renewTimeMs: moment.wallMs,
    endTimeMs: 0,
    labels: claim.labels ?? record.labels,
    annotations: claim.annotations ?? record.annotations,
    lockDelayMs: claim.lockDelayMs ?? record.lockDelayMs,
    delayed: false,
    keepAfterExpiryMs: claim.keepAfterExpiryMs ?? record.keepAfterExpiryMs,
    revoking: undefined,
    origin: 'grpc',
    kubernetes: withoutSpec(record.kubernetes),
    // Its holder most likely opens its stream here: so that takes no change of its own.
    attendant: moment.sessions.own,
  };
}

/** The change that ends a tenure and, in the same revision, grants the lease to the next in the queue, if that is allowed now. */
export function endChange(before: LeaseRecord, ending: Ending, queue: Queue, moment: Moment): Succession {
  const ended = endTenure(before, ending, moment);
  const event: LeaseEvent = { type: ending.type, reason: ending.reason, lease: ended, previousLabels: before.labels };
  const change: Change = {
    key: leaseKey(before.namespace, before.name),
    expected: before.resourceVersion,
    record: ended,
    grants: false,
    events: [event],
  };
  const heir = ended.delayed
    ? undefined
    : ((ending.transferTo === '' ? undefined : queue.named(ending.transferTo)) ?? queue.first());
  if (heir === undefined) {
    return { change, grantedTo: undefined };
  }
  const grant = grantChange(before, ended, { claim: heir, reason: 'HANDED_OVER' }, moment);
  return { change: { ...grant, expected: before.resourceVersion, events: [event, ...grant.events] }, grantedTo: heir };
}

/** A record that was never held. */
export function newRecord(lease: LeaseName, moment: Pick<Moment, 'wallMs' | 'newUid'>): LeaseRecord {
  return {
    namespace: lease.namespace,
    name: lease.name,
    uid: moment.newUid(),
    state: 'AVAILABLE',
    holder: '',
    lastHolder: '',
    acquireId: '',
    durationMs: 0,
    fencingToken: 0n,
    resourceVersion: 0n,
    transitions: 0,
    renewals: 0,
    createTimeMs: moment.wallMs,
    acquireTimeMs: 0,
    renewTimeMs: 0,
    endTimeMs: 0,
    labels: emptyMap,
    annotations: emptyMap,
    lockDelayMs: 0,
    delayed: false,
    keepAfterExpiryMs: undefined,
    revoking: undefined,
    reservedMs: undefined,
    origin: 'grpc',
    kubernetes: undefined,
    attendant: '',
    waiting: nobodyElsewhere,
  };
}

/** Labels that selectors saw before a change. */
function visibleLabels(record: LeaseRecord | undefined): StringMap | undefined {
  return isVisible(record) ? record.labels : undefined;
}

function endTenure(record: LeaseRecord, ending: Ending, moment: Moment): LeaseRecord {
  const expired = ending.type === 'EXPIRED';
  return {
    ...record,
    state: expired ? 'EXPIRED' : 'AVAILABLE',
    holder: expired ? record.holder : '',
    endTimeMs: moment.wallMs,
    delayed: ending.delayed && record.lockDelayMs > 0,
    revoking: undefined,
    // An expired lease keeps its holder, and what was written with it.
    kubernetes: expired ? record.kubernetes : withoutSpec(record.kubernetes),
    attendant: '',
  };
}
