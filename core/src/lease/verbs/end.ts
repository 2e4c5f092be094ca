import type { ReleaseCommand, RevokeCommand } from '../commands.js';
import { changing, recordOf, refuse, type Decision } from '../decision.js';
import { leaseKey, type LeaseRecord } from '../record.js';
import { notFound, notTheHolder, notWaiting, visible } from '../refusals.js';
import { inTheWayMs, situationOf, type Moment, type Standing } from '../situation.js';
import { endChange } from '../tenure.js';

/** Ends the caller's tenure; the next in the queue is granted by the same change. */
export function decideRelease(standing: Standing, command: ReleaseCommand, moment: Moment): Decision {
  const record = visible(standing);
  if (record === undefined) {
    return refuse(notFound(command));
  }
  if (record.fencingToken !== command.fencingToken) {
    return refuse(notTheHolder(standing, record, command.fencingToken, moment));
  }
  switch (situationOf(standing, moment.nowMs)) {
    case 'absent':
    case 'reserved':
      return refuse(notFound(command));
    case 'available':
    case 'expired':
    case 'delayed':
      return record.state === 'AVAILABLE'
        ? { kind: 'answer', answer: { kind: 'released', record, already: true } }
        : refuse(notTheHolder(standing, record, command.fencingToken, moment));
    case 'held':
    case 'overdue':
    case 'grace':
    case 'revoking':
      return release(standing, record, command, moment);
  }
}

function release(standing: Standing, record: LeaseRecord, command: ReleaseCommand, moment: Moment): Decision {
  if (command.transferTo !== '' && standing.queue.named(command.transferTo) === undefined) {
    return refuse(notWaiting(record, command.transferTo));
  }
  // An operator's transfer stands above the holder's.
  const transferTo =
    record.revoking?.transferTo === undefined || record.revoking.transferTo === ''
      ? command.transferTo
      : record.revoking.transferTo;
  const reason = record.revoking === undefined ? 'REQUESTED' : 'REVOKED';
  const { change, grantedTo } = endChange(
    record,
    { type: 'RELEASED', reason, delayed: false, transferTo },
    standing.queue,
    moment,
  );
  return changing(change, (committed) => ({ kind: 'released', record: recordOf(committed), already: false }), {
    grantedTo,
    ends: true,
  });
}

/** Ends somebody else's tenure: at once with `force`, else as soon as the holder cannot believe in it any more. */
export function decideRevoke(standing: Standing, command: RevokeCommand, moment: Moment): Decision {
  const record = visible(standing);
  if (record === undefined) {
    return refuse(notFound(command));
  }
  if (record.fencingToken !== command.fencingToken) {
    return refuse(notTheHolder(standing, record, command.fencingToken, moment));
  }
  switch (situationOf(standing, moment.nowMs)) {
    case 'absent':
    case 'reserved':
      return refuse(notFound(command));
    case 'available':
    case 'expired':
    case 'delayed':
      return record.state === 'AVAILABLE'
        ? { kind: 'answer', answer: { kind: 'revoked', record, remainingMs: inTheWayMs(standing, moment.nowMs) } }
        : refuse(notTheHolder(standing, record, command.fencingToken, moment));
    case 'held':
    case 'overdue':
    case 'grace':
    case 'revoking':
      return revoke(standing, record, command, moment);
  }
}

function revoke(standing: Standing, record: LeaseRecord, command: RevokeCommand, moment: Moment): Decision {
  if (command.transferTo !== '' && standing.queue.named(command.transferTo) === undefined) {
    return refuse(notWaiting(record, command.transferTo));
  }
  if (command.force) {
    const ending = { type: 'RELEASED', reason: 'REVOKED', delayed: true, transferTo: command.transferTo } as const;
    const { change, grantedTo } = endChange(record, ending, standing.queue, moment);
    return changing(change, (committed) => ({ kind: 'revoked', record: recordOf(committed), remainingMs: record.lockDelayMs }), {
      grantedTo,
      ends: true,
    });
  }
  const remainingMs = atMostMs(standing, record, command.graceMs, moment);
  if (
    record.revoking !== undefined &&
    command.graceMs >= record.revoking.graceMs &&
    command.transferTo === record.revoking.transferTo
  ) {
    // A repeat: what was begun goes on.
    return { kind: 'answer', answer: { kind: 'revoked', record, remainingMs } };
  }
  const graceMs = Math.min(command.graceMs, record.revoking?.graceMs ?? command.graceMs);
  const next: LeaseRecord = { ...record, revoking: { graceMs, transferTo: command.transferTo } };
  return changing(
    {
      key: leaseKey(record.namespace, record.name),
      expected: record.resourceVersion,
      record: next,
      grants: false,
      events: [{ type: 'UPDATED', reason: 'REVOKING', lease: next, previousLabels: record.labels }],
    },
    (committed) => ({ kind: 'revoked', record: recordOf(committed), remainingMs }),
    { ends: graceMs === 0 },
  );
}

/** How long at most until somebody can be granted: in a grace the holder may renew once more at its very end. */
function atMostMs(standing: Standing, record: LeaseRecord, graceMs: number, moment: Moment): number {
  const heldMs = graceMs === 0 ? inTheWayMs(standing, moment.nowMs) : graceMs + record.durationMs;
  return heldMs + record.lockDelayMs;
}
