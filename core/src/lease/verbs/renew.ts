import type { AttendCommand, RenewCommand, ValidateCommand } from '../commands.js';
import { changing, nothing, recordOf, refuse, type Decision } from '../decision.js';
import { withRenewal } from '../kubernetes.js';
import { isHeld, leaseKey, type LeaseRecord } from '../record.js';
import { notFound, notTheHolder, revoked, visible } from '../refusals.js';
import { situationOf, type Moment, type Standing } from '../situation.js';

/** Prolongs the living tenure, durably. A renewal past the deadline still counts until the expiry is staged. */
export function decideRenew(standing: Standing, command: RenewCommand, moment: Moment): Decision {
  const record = visible(standing);
  if (record === undefined) {
    return refuse(notFound(command));
  }
  const refusal = refusalToRenew(standing, record, command, moment);
  if (refusal !== undefined) {
    return refuse(refusal);
  }
  const next: LeaseRecord = {
    ...record,
    renewals: record.renewals + 1,
    renewTimeMs: moment.wallMs,
    kubernetes: withRenewal(record.kubernetes, moment.wallMs),
  };
  return changing(
    {
      key: leaseKey(record.namespace, record.name),
      expected: record.resourceVersion,
      record: next,
      grants: false,
      events: [{ type: 'RENEWED', reason: 'REQUESTED', lease: next, previousLabels: record.labels }],
    },
    (committed) => ({ kind: 'renewed', record: recordOf(committed) }),
    { renews: { from: 'read', atMs: command.readAtMs } },
  );
}

/** Makes this server the one that keeps the living tenure by heartbeats. Whoever did so before stops as soon as it sees it. */
export function decideAttend(standing: Standing, command: AttendCommand, moment: Moment): Decision {
  const record = visible(standing);
  if (record === undefined) {
    return refuse(notFound(command));
  }
  const refusal = refusalToRenew(standing, record, command, moment);
  if (refusal !== undefined) {
    return refuse(refusal);
  }
  if (record.attendant === moment.sessions.own) {
    return nothing;
  }
  return changing(
    {
      key: leaseKey(record.namespace, record.name),
      expected: record.resourceVersion,
      record: { ...record, attendant: moment.sessions.own },
      grants: false,
      events: [],
      silent: true,
    },
    () => ({ kind: 'done' }),
    { renews: { from: 'read', atMs: command.readAtMs } },
  );
}

/** Why a renewal, a beat or an attach by this holder and token does not count; `undefined` when it does. */
export function refusalToRenew(
  standing: Standing,
  record: LeaseRecord,
  by: { readonly holder: string; readonly fencingToken: bigint },
  moment: Moment,
): ReturnType<typeof notTheHolder> | undefined {
  switch (situationOf(standing, moment.nowMs)) {
    case 'absent':
    case 'reserved':
      return notFound(record);
    case 'available':
    case 'expired':
    case 'delayed':
      return notTheHolder(standing, record, by.fencingToken, moment);
    case 'held':
    case 'overdue':
    case 'grace':
      return isHolder(record, by) ? undefined : notTheHolder(standing, record, by.fencingToken, moment);
    case 'revoking':
      return isHolder(record, by) ? revoked(standing, record, moment) : notTheHolder(standing, record, by.fencingToken, moment);
  }
}

/** Says whether a token is that of the living tenure. */
export function decideValidate(standing: Standing, command: ValidateCommand): Decision {
  const record = visible(standing);
  if (record === undefined) {
    return refuse(notFound(command));
  }
  const valid = isHeld(record) && record.fencingToken === command.fencingToken;
  return { kind: 'answer', answer: { kind: 'validated', valid, record } };
}

function isHolder(record: LeaseRecord, by: { readonly holder: string; readonly fencingToken: bigint }): boolean {
  return record.fencingToken === by.fencingToken && record.holder === by.holder;
}
