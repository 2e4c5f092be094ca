import { describe, expect, it } from 'vitest';
import {
  decide,
  defaultLimits,
  nobodyElsewhere,
  emptyMap,
  situationOf,
  type Claim,
  type Command,
  type Decision,
  type LeaseRecord,
  type Moment,
  type Situation,
  type Standing,
  type WriteCommand,
} from '@leasehold/core';

/**
 * What every command leads to in every situation. A missing cell does not compile.
 *
 * `+TYPE/REASON …`: a change with these events (`+` alone: one without events); `=kind`: an answer without a change; `!REASON`: a refusal;
 * `queue`, `await`: the caller waits.
 */
const table: Record<Row, Record<Situation, string>> = {
  'acquire by another': {
    absent: '+ACQUIRED/REQUESTED',
    reserved: '=busy',
    available: '+ACQUIRED/REQUESTED',
    expired: '+ACQUIRED/REQUESTED',
    delayed: '=busy',
    held: '=busy',
    overdue: 'await',
    grace: '=busy',
    revoking: '=busy',
  },
  'acquire by another, waiting': {
    absent: '+ACQUIRED/REQUESTED',
    reserved: 'queue',
    available: '+ACQUIRED/REQUESTED',
    expired: '+ACQUIRED/REQUESTED',
    delayed: 'queue',
    held: 'queue',
    overdue: 'await',
    grace: 'queue',
    revoking: 'queue',
  },
  'acquire repeated by the holder': {
    absent: '+ACQUIRED/REQUESTED',
    reserved: '=busy',
    available: '!LEASE_LOST',
    expired: '!LEASE_LOST',
    delayed: '!LEASE_LOST',
    held: '+RENEWED/REQUESTED',
    overdue: '+RENEWED/REQUESTED',
    grace: '=busy',
    revoking: '=busy',
  },
  renew: {
    absent: '!LEASE_NOT_FOUND',
    reserved: '!LEASE_NOT_FOUND',
    available: '!LEASE_LOST',
    expired: '!LEASE_EXPIRED',
    delayed: '!LEASE_EXPIRED',
    held: '+RENEWED/REQUESTED',
    overdue: '+RENEWED/REQUESTED',
    grace: '+RENEWED/REQUESTED',
    revoking: '!LEASE_REVOKED',
  },
  attend: {
    absent: '!LEASE_NOT_FOUND',
    reserved: '!LEASE_NOT_FOUND',
    available: '!LEASE_LOST',
    expired: '!LEASE_EXPIRED',
    delayed: '!LEASE_EXPIRED',
    held: '+',
    overdue: '+',
    grace: '+',
    revoking: '!LEASE_REVOKED',
  },
  'enlist with somebody waiting': {
    absent: '=done',
    reserved: '+',
    available: '+',
    expired: '+',
    delayed: '+',
    held: '+',
    overdue: '+',
    grace: '+',
    revoking: '+',
  },
  'renew with a stale token': {
    absent: '!LEASE_NOT_FOUND',
    reserved: '!LEASE_NOT_FOUND',
    available: '!LEASE_LOST',
    expired: '!LEASE_LOST',
    delayed: '!LEASE_LOST',
    held: '!LEASE_LOST',
    overdue: '!LEASE_LOST',
    grace: '!LEASE_LOST',
    revoking: '!LEASE_LOST',
  },
  release: {
    absent: '!LEASE_NOT_FOUND',
    reserved: '!LEASE_NOT_FOUND',
    available: '=released',
    expired: '!LEASE_EXPIRED',
    delayed: '!LEASE_EXPIRED',
    held: '+RELEASED/REQUESTED',
    overdue: '+RELEASED/REQUESTED',
    grace: '+RELEASED/REVOKED',
    revoking: '+RELEASED/REVOKED',
  },
  'release with a stale token': {
    absent: '!LEASE_NOT_FOUND',
    reserved: '!LEASE_NOT_FOUND',
    available: '!LEASE_LOST',
    expired: '!LEASE_LOST',
    delayed: '!LEASE_LOST',
    held: '!LEASE_LOST',
    overdue: '!LEASE_LOST',
    grace: '!LEASE_LOST',
    revoking: '!LEASE_LOST',
  },
  revoke: {
    absent: '!LEASE_NOT_FOUND',
    reserved: '!LEASE_NOT_FOUND',
    available: '=revoked',
    expired: '!LEASE_EXPIRED',
    delayed: '!LEASE_EXPIRED',
    held: '+UPDATED/REVOKING',
    overdue: '+UPDATED/REVOKING',
    grace: '+UPDATED/REVOKING',
    revoking: '=revoked',
  },
  'revoke by force': {
    absent: '!LEASE_NOT_FOUND',
    reserved: '!LEASE_NOT_FOUND',
    available: '=revoked',
    expired: '!LEASE_EXPIRED',
    delayed: '!LEASE_EXPIRED',
    held: '+RELEASED/REVOKED',
    overdue: '+RELEASED/REVOKED',
    grace: '+RELEASED/REVOKED',
    revoking: '+RELEASED/REVOKED',
  },
  validate: {
    absent: '!LEASE_NOT_FOUND',
    reserved: '!LEASE_NOT_FOUND',
    available: '=validated',
    expired: '=validated',
    delayed: '=validated',
    held: '=validated',
    overdue: '=validated',
    grace: '=validated',
    revoking: '=validated',
  },
  create: {
    absent: '+CREATED/REQUESTED',
    reserved: '!NAME_RESERVED',
    available: '!LEASE_EXISTS',
    expired: '!LEASE_EXISTS',
    delayed: '!LEASE_EXISTS',
    held: '!LEASE_EXISTS',
    overdue: '!LEASE_EXISTS',
    grace: '!LEASE_EXISTS',
    revoking: '!LEASE_EXISTS',
  },
  update: {
    absent: '!LEASE_NOT_FOUND',
    reserved: '!LEASE_NOT_FOUND',
    available: '+UPDATED/REQUESTED',
    expired: '+UPDATED/REQUESTED',
    delayed: '+UPDATED/REQUESTED',
    held: '+UPDATED/REQUESTED',
    overdue: '+UPDATED/REQUESTED',
    grace: '+UPDATED/REQUESTED',
    revoking: '+UPDATED/REQUESTED',
  },
  'update by the holder': {
    absent: '!LEASE_NOT_FOUND',
    reserved: '!LEASE_NOT_FOUND',
    available: '!LEASE_LOST',
    expired: '!LEASE_EXPIRED',
    delayed: '!LEASE_EXPIRED',
    held: '+UPDATED/REQUESTED',
    overdue: '+UPDATED/REQUESTED',
    grace: '+UPDATED/REQUESTED',
    revoking: '+UPDATED/REQUESTED',
  },
  delete: {
    absent: '!LEASE_NOT_FOUND',
    reserved: '!LEASE_NOT_FOUND',
    available: '+DELETED/REQUESTED',
    expired: '+DELETED/REQUESTED',
    delayed: '+DELETED/REQUESTED',
    held: '+DELETED/REQUESTED',
    overdue: '+DELETED/REQUESTED',
    grace: '+DELETED/REQUESTED',
    revoking: '+DELETED/REQUESTED',
  },
  'delete without a guard': {
    absent: '!LEASE_NOT_FOUND',
    reserved: '!LEASE_NOT_FOUND',
    available: '+DELETED/REQUESTED',
    expired: '+DELETED/REQUESTED',
    delayed: '+DELETED/REQUESTED',
    held: '!LEASE_HELD',
    overdue: '!LEASE_HELD',
    grace: '!LEASE_HELD',
    revoking: '!LEASE_HELD',
  },
  elapse: {
    absent: '=done',
    reserved: '=done',
    available: '=done',
    expired: '=done',
    delayed: '=done',
    held: '=done',
    overdue: '+EXPIRED/EXPIRED',
    grace: '=done',
    revoking: '=done',
  },
  'elapse with somebody waiting': {
    absent: '+ACQUIRED/HANDED_OVER',
    reserved: '=done',
    available: '+ACQUIRED/HANDED_OVER',
    expired: '+ACQUIRED/HANDED_OVER',
    delayed: '=done',
    held: '=done',
    overdue: '+EXPIRED/EXPIRED ACQUIRED/HANDED_OVER',
    grace: '=done',
    revoking: '=done',
  },
  checkpoint: {
    absent: '=done',
    reserved: '=done',
    available: '=done',
    expired: '=done',
    delayed: '=done',
    held: '+RENEWED/REQUESTED',
    overdue: '+RENEWED/REQUESTED',
    grace: '+RENEWED/REQUESTED',
    revoking: '+RENEWED/REQUESTED',
  },
  abandon: {
    absent: '=done',
    reserved: '=done',
    available: '=done',
    expired: '=done',
    delayed: '=done',
    held: '+RELEASED/ABANDONED',
    overdue: '+RELEASED/ABANDONED',
    grace: '+RELEASED/ABANDONED',
    revoking: '+RELEASED/ABANDONED',
  },
  // The lease is of gRPC origin: test/core/kubernetes-write has those of Kubernetes origin.
  write: {
    absent: '!LEASE_NOT_FOUND',
    reserved: '!LEASE_NOT_FOUND',
    available: '+ACQUIRED/REQUESTED',
    expired: '+ACQUIRED/REQUESTED',
    delayed: '!LEASE_HELD',
    held: '!LEASE_HELD',
    overdue: '!LEASE_HELD',
    grace: '!LEASE_HELD',
    revoking: '!LEASE_HELD',
  },
  'write of a new object': {
    absent: '+ACQUIRED/REQUESTED',
    reserved: '!NAME_RESERVED',
    available: '!LEASE_EXISTS',
    expired: '!LEASE_EXISTS',
    delayed: '!LEASE_EXISTS',
    held: '!LEASE_EXISTS',
    overdue: '!LEASE_EXISTS',
    grace: '!LEASE_EXISTS',
    revoking: '!LEASE_EXISTS',
  },
};

type Row =
  | Exclude<Command['kind'], 'acquire' | 'enlist'>
  | 'acquire by another'
  | 'acquire by another, waiting'
  | 'acquire repeated by the holder'
  | 'renew with a stale token'
  | 'release with a stale token'
  | 'revoke by force'
  | 'update by the holder'
  | 'delete without a guard'
  | 'elapse with somebody waiting'
  | 'enlist with somebody waiting'
  | 'write of a new object';

const nowMs = 50_000;
const token = 70n;
const version = 90n;
const lease = { namespace: 'default', name: 'example' };
const claim: Claim = { holder: 'b', acquireId: 'other', durationMs: 10_000 };

const object: Omit<WriteCommand, 'resourceVersion'> = {
  kind: 'write',
  ...lease,
  spec: { holderIdentity: 'b', leaseDurationSeconds: 10 },
  labels: emptyMap,
  annotations: emptyMap,
  part: { generateName: '', ownerReferences: [], finalizers: [], managedFields: [] },
  readAtMs: nowMs,
  strict: false,
  dryRun: false,
};

const commands: Record<Row, Command> = {
  'acquire by another': { kind: 'acquire', ...lease, claim, waitMs: 0, priority: 0 },
  'acquire by another, waiting': { kind: 'acquire', ...lease, claim, waitMs: 5_000, priority: 0 },
  'acquire repeated by the holder': {
    kind: 'acquire',
    ...lease,
    claim: { ...claim, holder: 'a', acquireId: 'id' },
    waitMs: 0,
    priority: 0,
  },
  renew: { kind: 'renew', ...lease, holder: 'a', fencingToken: token, readAtMs: nowMs },
  'renew with a stale token': { kind: 'renew', ...lease, holder: 'a', fencingToken: token - 1n, readAtMs: nowMs },
  release: { kind: 'release', ...lease, fencingToken: token, transferTo: '' },
  'release with a stale token': { kind: 'release', ...lease, fencingToken: token - 1n, transferTo: '' },
  revoke: { kind: 'revoke', ...lease, fencingToken: token, graceMs: 0, force: false, transferTo: '' },
  'revoke by force': { kind: 'revoke', ...lease, fencingToken: token, graceMs: 0, force: true, transferTo: '' },
  validate: { kind: 'validate', ...lease, fencingToken: token },
  create: { kind: 'create', ...lease, metadata: {} },
  update: {
    kind: 'update',
    ...lease,
    resourceVersion: version,
    fencingToken: 0n,
    set: { labels: { a: 'b' } },
    removeLabels: [],
    removeAnnotations: [],
  },
  'update by the holder': {
    kind: 'update',
    ...lease,
    resourceVersion: 0n,
    fencingToken: token,
    set: { labels: { a: 'b' } },
    removeLabels: [],
    removeAnnotations: [],
  },
  delete: { kind: 'delete', ...lease, uid: 'uid', fencingToken: 0n, resourceVersion: 0n, force: false },
  'delete without a guard': { kind: 'delete', ...lease, uid: '', fencingToken: 0n, resourceVersion: 0n, force: false },
  elapse: { kind: 'elapse', ...lease },
  'elapse with somebody waiting': { kind: 'elapse', ...lease },
  checkpoint: { kind: 'checkpoint', ...lease, fencingToken: token, renewTimeMs: 5 },
  abandon: { kind: 'abandon', ...lease, resourceVersion: version },
  attend: { kind: 'attend', ...lease, holder: 'a', fencingToken: token, readAtMs: nowMs },
  'enlist with somebody waiting': { kind: 'enlist', ...lease },
  write: { ...object, resourceVersion: version },
  'write of a new object': { ...object, resourceVersion: 0n },
};

const held: LeaseRecord = {
  ...lease,
  uid: 'uid',
  state: 'HELD',
  holder: 'a',
  lastHolder: 'a',
  acquireId: 'id',
  durationMs: 10_000,
  fencingToken: token,
  resourceVersion: version,
  transitions: 3,
  renewals: 2,
  createTimeMs: 1,
  acquireTimeMs: 2,
  renewTimeMs: 3,
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
const expired: LeaseRecord = { ...held, state: 'EXPIRED' };
const revoking: LeaseRecord = { ...held, revoking: { graceMs: 3_000, transferTo: '' } };

const standings: Record<Situation, Partial<Standing>> = {
  absent: { record: undefined },
  reserved: { record: { ...held, reservedMs: 10_000 }, freeAtMs: nowMs + 1 },
  available: { record: { ...held, state: 'AVAILABLE', holder: '' } },
  expired: { record: expired },
  delayed: { record: { ...expired, delayed: true, lockDelayMs: 5_000 }, freeAtMs: nowMs + 1 },
  held: { record: held, deadlineMs: nowMs + 1 },
  overdue: { record: held, deadlineMs: nowMs },
  grace: { record: revoking, deadlineMs: nowMs + 1, renewableUntilMs: nowMs + 1 },
  revoking: { record: { ...revoking, revoking: { graceMs: 0, transferTo: '' } }, deadlineMs: nowMs + 1, renewableUntilMs: nowMs },
};

const moment: Moment = {
  nowMs,
  wallMs: 1_000,
  limits: defaultLimits,
  sessions: { own: 'here', isLive: () => true },
  newUid: () => 'new',
};

function standingOf(situation: Situation, waiting: Claim | undefined): Standing {
  return {
    record: undefined,
    deadlineMs: 0,
    renewableUntilMs: Infinity,
    freeAtMs: 0,
    collectAtMs: Infinity,
    confirmed: false,
    keptElsewhere: false,
    priorityHere: waiting && 0,
    queue: { othersFirst: false, first: () => waiting, named: (holder) => (waiting?.holder === holder ? waiting : undefined) },
    ...standings[situation],
  };
}

function show(decision: Decision): string {
  switch (decision.kind) {
    case 'change':
      return `+${decision.change.events.map(({ type, reason }) => `${type}/${reason}`).join(' ')}`;
    case 'answer':
      return `=${decision.answer.kind}`;
    case 'refuse':
      return `!${decision.error.reason}`;
    case 'queue':
    case 'await':
      return decision.kind;
  }
}

const rows = Object.entries(table) as [Row, Record<Situation, string>][];

describe.each(rows)('%s', (row, cells) => {
  it.each(Object.entries(cells) as [Situation, string][])('of a lease that is %s leads to %s', (situation, expected) => {
    const standing = standingOf(situation, row.endsWith('with somebody waiting') ? claim : undefined);
    expect(situationOf(standing, nowMs)).toBe(situation);
    const decision = decide(standing, commands[row], moment);
    expect(show(decision)).toBe(expected);
    if (decision.kind === 'change') {
      expect(decision.change.expected).toBe(standing.record?.resourceVersion ?? 0n);
      expect(decision.change.key).toBe('default/example');
      expect(decision.change.grants).toBe(expected.includes('ACQUIRED'));
    }
  });
});

describe('what is due', () => {
  const wait = (standing: Partial<Standing>, waiting?: Claim): string =>
    show(decide({ ...standingOf('absent', waiting), ...standing }, commands.elapse, moment));

  it('ends a revoke whose deadline has passed', () => {
    expect(wait({ record: revoking, deadlineMs: nowMs })).toBe('+RELEASED/REVOKED');
    expect(wait({ record: revoking, deadlineMs: nowMs }, claim)).toBe('+RELEASED/REVOKED ACQUIRED/HANDED_OVER');
  });

  it('grants nobody in the change that begins a lock delay', () => {
    expect(wait({ record: { ...held, lockDelayMs: 1 }, deadlineMs: nowMs }, claim)).toBe('+EXPIRED/EXPIRED');
  });

  it('forgets a reservation that is over, without an event', () => {
    expect(wait({ record: { ...held, reservedMs: 1 }, freeAtMs: nowMs })).toBe('+');
    expect(wait({ record: { ...held, reservedMs: 1 }, freeAtMs: nowMs }, claim)).toBe('+ACQUIRED/HANDED_OVER');
  });

  it('collects garbage', () => {
    expect(wait({ record: expired, collectAtMs: nowMs })).toBe('+DELETED/COLLECTED');
    expect(wait({ record: expired, collectAtMs: nowMs + 1 })).toBe('=done');
  });
});
