import type { EventType } from '../change.js';
import type { AcquireCommand, BusyLease } from '../commands.js';
import { changing, recordOf, refuse, type Decision } from '../decision.js';
import { withRenewal } from '../kubernetes.js';
import { isHeld, leaseKey, sameMap, type LeaseRecord } from '../record.js';
import { notTheHolder } from '../refusals.js';
import { inTheWayMs, isOverdue, situationOf, type Moment, type Standing } from '../situation.js';
import { grantChange } from '../tenure.js';

/** Grants a free lease, renews the caller's own, and puts everybody else off. */
export function decideAcquire(standing: Standing, command: AcquireCommand, moment: Moment): Decision {
  const { record } = standing;
  const situation = situationOf(standing, moment.nowMs);
  switch (situation) {
    case 'absent':
      return grant(standing, command, moment);
    case 'available':
    case 'expired':
      return isLate(standing.record, command) ? refuseLate(standing, command, moment) : grant(standing, command, moment);
    case 'delayed':
      return isLate(standing.record, command) ? refuseLate(standing, command, moment) : putOff(standing, command, moment);
    case 'reserved':
      return moment.nowMs < standing.freeAtMs || standing.queue.othersFirst
        ? putOff(standing, command, moment)
        : { kind: 'await' };
    case 'held':
    case 'overdue':
      if (record !== undefined && isSameTenure(record, command)) {
        return grantAgain(record, command, moment);
      }
      return situation === 'overdue' ? { kind: 'await' } : putOff(standing, command, moment);
    case 'grace':
    case 'revoking':
      // Nobody is granted a lease that is being revoked, its holder included; a repeat of its request is not to begin another tenure.
      if (record !== undefined && isSameTenure(record, command)) {
        return { kind: 'answer', answer: { kind: 'busy', busy: busyAnswer(standing, moment.nowMs, false) } };
      }
      return isOverdue(standing, moment.nowMs) ? { kind: 'await' } : putOff(standing, command, moment);
  }
}

/** What a caller is told who cannot have the lease now. */
export function busyAnswer(standing: Standing, nowMs: number, timedOut: boolean): BusyLease {
  return {
    holder: isHeld(standing.record) ? standing.record.holder : '',
    fencingToken: standing.record?.fencingToken ?? 0n,
    remainingMs: inTheWayMs(standing, nowMs),
    timedOut,
  };
}

function grant(standing: Standing, command: AcquireCommand, moment: Moment): Decision {
  if (standing.queue.first() !== undefined) {
    // Those who wait are granted first; the sweeper is about to do it.
    return { kind: 'await' };
  }
  if (standing.queue.othersFirst) {
    return putOff(standing, command, moment);
  }
  const change = grantChange(command, standing.record, { claim: command.claim, reason: 'REQUESTED' }, moment);
  return changing(change, (committed) => ({ kind: 'granted', record: recordOf(committed) }), {
    grantsCaller: true,
    renews: { from: 'commit' },
  });
}

/** A repeat of the request that began the living tenure: the same token, a fresh deadline. */
function grantAgain(record: LeaseRecord, command: AcquireCommand, moment: Moment): Decision {
  const { claim } = command;
  const durationMs = Math.max(record.durationMs, claim.durationMs);
  const grown = durationMs > record.durationMs ? durationMs : undefined;
  const next: LeaseRecord = {
    ...record,
    durationMs,
    kubernetes: withRenewal(record.kubernetes, moment.wallMs, grown),
    labels: claim.labels ?? record.labels,
    annotations: claim.annotations ?? record.annotations,
    lockDelayMs: claim.lockDelayMs ?? record.lockDelayMs,
    keepAfterExpiryMs: claim.keepAfterExpiryMs ?? record.keepAfterExpiryMs,
    renewals: record.renewals + 1,
    renewTimeMs: moment.wallMs,
  };
  const type: EventType = isOnlyRenewed(record, next) ? 'RENEWED' : 'UPDATED';
  return changing(
    {
      key: leaseKey(record.namespace, record.name),
      expected: record.resourceVersion,
      record: next,
      grants: false,
      events: [{ type, reason: 'REQUESTED', lease: next, previousLabels: record.labels }],
    },
    (committed) => ({ kind: 'granted', record: recordOf(committed) }),
    { renews: { from: 'commit' } },
  );
}

function putOff(standing: Standing, command: AcquireCommand, moment: Moment): Decision {
  if (command.waitMs > 0) {
    return { kind: 'queue' };
  }
  return { kind: 'answer', answer: { kind: 'busy', busy: busyAnswer(standing, moment.nowMs, false) } };
}

function isSameTenure(record: LeaseRecord, command: AcquireCommand): boolean {
  return record.holder === command.claim.holder && record.acquireId === command.claim.acquireId;
}

/** A request that began the last tenure and arrives again after its end: granting it would begin a tenure that nobody wants. */
function isLate(record: LeaseRecord | undefined, command: AcquireCommand): boolean {
  return (
    command.claim.acquireId !== '' && record?.acquireId === command.claim.acquireId && record.lastHolder === command.claim.holder
  );
}

function refuseLate(standing: Standing, command: AcquireCommand, moment: Moment): Decision {
  const { record } = standing;
  if (record === undefined) {
    return grant(standing, command, moment);
  }
  const error = notTheHolder(standing, { ...record, state: 'AVAILABLE', holder: '' }, record.fencingToken, moment);
  return refuse(error);
}

function isOnlyRenewed(before: LeaseRecord, after: LeaseRecord): boolean {
  return (
    before.durationMs === after.durationMs &&
    before.lockDelayMs === after.lockDelayMs &&
    before.keepAfterExpiryMs === after.keepAfterExpiryMs &&
    sameMap(before.labels, after.labels) &&
    sameMap(before.annotations, after.annotations)
  );
}
