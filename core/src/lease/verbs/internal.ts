import type { AbandonCommand, CheckpointCommand, ElapseCommand } from '../commands.js';
import { changing, nothing, type ChangeDecision, type Decision } from '../decision.js';
import { withRenewal } from '../kubernetes.js';
import { isHeld, leaseKey, type LeaseRecord } from '../record.js';
import { isOverdue, situationOf, type Moment, type Standing } from '../situation.js';
import { endChange, grantChange, type Succession } from '../tenure.js';
import { withWaiting } from '../waiting-servers.js';

/** Does what time has made due: an expiry, the end of a revoke, of a lock delay or of a reservation, a grant to who waits, garbage. */
export function decideElapse(standing: Standing, command: ElapseCommand, moment: Moment): Decision {
  const { record } = standing;
  if (record === undefined) {
    return grantNext(standing, command, moment) ?? nothing;
  }
  switch (situationOf(standing, moment.nowMs)) {
    case 'absent':
    case 'held':
    case 'delayed':
      return nothing;
    case 'reserved':
      return moment.nowMs < standing.freeAtMs ? nothing : (grantNext(standing, command, moment) ?? forget(standing, record));
    case 'available':
      return grantNext(standing, command, moment) ?? nothing;
    case 'expired':
      return grantNext(standing, command, moment) ?? collect(standing, record, moment);
    case 'overdue':
      return ending(
        endChange(record, { type: 'EXPIRED', reason: 'EXPIRED', delayed: true, transferTo: '' }, standing.queue, moment),
      );
    case 'grace':
    case 'revoking': {
      const transferTo = record.revoking?.transferTo ?? '';
      return isOverdue(standing, moment.nowMs)
        ? ending(endChange(record, { type: 'RELEASED', reason: 'REVOKED', delayed: true, transferTo }, standing.queue, moment))
        : nothing;
    }
  }
}

/** Lets the record catch up with heartbeats, if the tenure they were for still lives. It renews nothing. */
export function decideCheckpoint(standing: Standing, command: CheckpointCommand): Decision {
  const { record } = standing;
  if (!isHeld(record) || record.fencingToken !== command.fencingToken || record.renewTimeMs === command.renewTimeMs) {
    return nothing;
  }
  const { renewTimeMs } = command;
  const next: LeaseRecord = { ...record, renewTimeMs, kubernetes: withRenewal(record.kubernetes, renewTimeMs) };
  return changing(
    {
      key: leaseKey(record.namespace, record.name),
      expected: record.resourceVersion,
      record: next,
      grants: false,
      events: [{ type: 'RENEWED', reason: 'REQUESTED', lease: next, previousLabels: record.labels }],
    },
    () => ({ kind: 'done' }),
  );
}

/** Takes a grant back that nobody heard of, unless its holder has shown itself since. */
export function decideAbandon(standing: Standing, command: AbandonCommand, moment: Moment): Decision {
  const { record } = standing;
  if (!isHeld(record) || record.resourceVersion !== command.resourceVersion || standing.confirmed) {
    return nothing;
  }
  return ending(
    endChange(record, { type: 'RELEASED', reason: 'ABANDONED', delayed: false, transferTo: '' }, standing.queue, moment),
  );
}

/** Lets the other servers know whether somebody waits on this one. */
export function decideEnlist(standing: Standing, moment: Moment): Decision {
  const { record } = standing;
  const next = record && withWaiting(record, standing, moment);
  if (record === undefined || next === record) {
    return nothing;
  }
  return changing(
    {
      key: leaseKey(record.namespace, record.name),
      expected: record.resourceVersion,
      record: next,
      grants: false,
      events: [],
      silent: true,
    },
    () => ({ kind: 'done' }),
  );
}

function ending({ change, grantedTo }: Succession): ChangeDecision {
  return changing(change, () => ({ kind: 'done' }), { grantedTo, ends: true });
}

function grantNext(standing: Standing, command: ElapseCommand, moment: Moment): Decision | undefined {
  const claim = standing.queue.first();
  if (claim === undefined) {
    return undefined;
  }
  const change = grantChange(command, standing.record, { claim, reason: 'HANDED_OVER' }, moment);
  return changing(change, () => ({ kind: 'done' }), { grantedTo: claim });
}

/** The reservation of a deleted lease is over; nobody saw it, so nobody is told. */
function forget({ queue }: Standing, record: LeaseRecord): Decision {
  if (queue.othersFirst) {
    return nothing;
  }
  const change = {
    key: leaseKey(record.namespace, record.name),
    expected: record.resourceVersion,
    record: undefined,
    grants: false,
    events: [],
  };
  return changing(change, () => ({ kind: 'done' }));
}

function collect(standing: Standing, record: LeaseRecord, moment: Moment): Decision {
  if (moment.nowMs < standing.collectAtMs || standing.queue.othersFirst) {
    return nothing;
  }
  return changing(
    {
      key: leaseKey(record.namespace, record.name),
      expected: record.resourceVersion,
      record: undefined,
      grants: false,
      events: [{ type: 'DELETED', reason: 'COLLECTED', lease: record, previousLabels: record.labels }],
    },
    () => ({ kind: 'done' }),
  );
}
