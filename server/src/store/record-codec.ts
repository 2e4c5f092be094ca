import {
  emptyMap,
  leaseKey,
  nobodyElsewhere,
  type Change,
  type CommittedChange,
  type EventReason,
  type EventType,
  type KubernetesPart,
  type LeaseEvent,
  type LeaseOrigin,
  type LeaseRecord,
  type LeaseState,
  type NoteEntry,
  type Revoking,
  type StringMap,
  type WaitingServer,
} from '@leasehold/core';

/**
 * How records are stored: JSON, with what identifies a record in columns beside it. Fields that have their usual value are left
 * out. Reading takes what is missing to have it and passes over what it does not know, so that fields can be added without a new
 * schema version. Big integers are decimal strings, because JSON numbers are doubles.
 */

/** A row of a change: what the worker writes without looking into it. */
export interface ChangeRow {
  readonly revision: bigint;
  /** The version that the change rests on; 0: none. */
  readonly expected: bigint;
  readonly namespace: string;
  readonly name: string;
  /** The record; `null`: it is removed. */
  readonly body: string | null;
  readonly events: string;
}

/** A row of the history, as it is read. */
export type HistoryRow = Omit<ChangeRow, 'expected'>;

/** Rows of leases as one JSON text, because one long string crosses threads faster than many short ones. */
export type LeaseRows = string;

/** Writes a change. `committed` is the change with its revision. */
export function encodeChange(change: Change, committed: CommittedChange): ChangeRow {
  const slash = change.key.indexOf('/');
  return {
    revision: committed.revision,
    expected: change.expected,
    namespace: change.key.slice(0, slash),
    name: change.key.slice(slash + 1),
    body: committed.record === undefined ? null : JSON.stringify(storedRecord(committed.record, committed.revision)),
    events: JSON.stringify(
      committed.events.map((event, index) => storedEvent(change, event, { index, revision: committed.revision })),
    ),
  };
}

/** Reads a change of the history. */
export function decodeChange(row: HistoryRow): CommittedChange {
  const { revision, namespace, name } = row;
  const read = (stored: StoredRecord): LeaseRecord => readRecord({ namespace, name, resourceVersion: revision }, stored);
  const record = row.body === null ? undefined : read(JSON.parse(row.body) as StoredRecord);
  const events = (JSON.parse(row.events) as StoredEvent[]).map((stored): LeaseEvent => {
    const lease = stored.lease === undefined ? record : read(stored.lease);
    if (lease === undefined) {
      throw new Error(`Read history: revision ${revision} has an event without its lease`);
    }
    return { type: stored.type, reason: stored.reason, lease, previousLabels: stored.before && sharedIfEmpty(stored.before) };
  });
  return { revision, key: leaseKey(namespace, name), record, events };
}

/** Reads rows of leases. */
export function decodeLeases(rows: LeaseRows): LeaseRecord[] {
  let shared = '';
  return (JSON.parse(rows) as [string, string, string, StoredRecord][]).map(([namespace, name, version, stored]) => {
    // Neighbours mostly are of one namespace: a million leases need not keep a copy of its name each.
    shared = namespace === shared ? shared : namespace;
    return readRecord({ namespace: shared, name, resourceVersion: BigInt(version) }, stored);
  });
}

/** Writes a note. */
export function encodeNote(note: readonly NoteEntry[]): string {
  return JSON.stringify(note.map(({ key, fencingToken, remainingMs }) => [key, fencingToken.toString(), remainingMs]));
}

/** Reads a note. */
export function decodeNote(text: string): NoteEntry[] {
  return (JSON.parse(text) as [string, string, number][]).map(([key, token, remainingMs]) => ({
    key,
    fencingToken: BigInt(token),
    remainingMs,
  }));
}

interface StoredRecord {
  /** Left out when it is the revision of the change. */
  readonly version?: string | undefined;
  readonly uid?: string | undefined;
  readonly state?: LeaseState | undefined;
  readonly holder?: string | undefined;
  /** Left out when it is the holder. */
  readonly lastHolder?: string | undefined;
  readonly acquireId?: string | undefined;
  readonly durationMs?: number | undefined;
  /** Left out when it is the resource version. */
  readonly token?: string | undefined;
  readonly transitions?: number | undefined;
  readonly renewals?: number | undefined;
  readonly createTimeMs?: number | undefined;
  readonly acquireTimeMs?: number | undefined;
  readonly renewTimeMs?: number | undefined;
  readonly endTimeMs?: number | undefined;
  readonly labels?: StringMap | undefined;
  readonly annotations?: StringMap | undefined;
  readonly lockDelayMs?: number | undefined;
  readonly delayed?: boolean | undefined;
  readonly keepAfterExpiryMs?: number | undefined;
  readonly revoking?: Revoking | undefined;
  readonly reservedMs?: number | undefined;
  readonly origin?: LeaseOrigin | undefined;
  readonly kubernetes?: KubernetesPart | undefined;
  readonly attendant?: string | undefined;
  readonly waiting?: readonly WaitingServer[] | undefined;
}

interface StoredEvent {
  readonly type: EventType;
  readonly reason: EventReason;
  /** Left out when it is the record after the change. */
  readonly lease?: StoredRecord | undefined;
  readonly before?: StringMap | undefined;
}

/** `resourceVersion`: the revision of the change that has left the record so. */
type Identity = Pick<LeaseRecord, 'namespace' | 'name' | 'resourceVersion'>;

function storedRecord(record: LeaseRecord, revision: bigint): StoredRecord {
  return {
    version: record.resourceVersion === revision ? undefined : record.resourceVersion.toString(),
    uid: record.uid,
    state: record.state,
    holder: unlessUsual(record.holder, ''),
    lastHolder: unlessUsual(record.lastHolder, record.holder),
    acquireId: unlessUsual(record.acquireId, ''),
    durationMs: unlessUsual(record.durationMs, 0),
    token: record.fencingToken === record.resourceVersion ? undefined : record.fencingToken.toString(),
    transitions: unlessUsual(record.transitions, 0),
    renewals: unlessUsual(record.renewals, 0),
    createTimeMs: unlessUsual(record.createTimeMs, 0),
    acquireTimeMs: unlessUsual(record.acquireTimeMs, 0),
    renewTimeMs: unlessUsual(record.renewTimeMs, 0),
    endTimeMs: unlessUsual(record.endTimeMs, 0),
    labels: undefinedIfEmpty(record.labels),
    annotations: undefinedIfEmpty(record.annotations),
    lockDelayMs: unlessUsual(record.lockDelayMs, 0),
    delayed: unlessUsual(record.delayed, false),
    keepAfterExpiryMs: record.keepAfterExpiryMs,
    revoking: record.revoking,
    reservedMs: record.reservedMs,
    origin: unlessUsual(record.origin, 'grpc'),
    kubernetes: record.kubernetes,
    attendant: unlessUsual(record.attendant, ''),
    waiting: record.waiting.length === 0 ? undefined : record.waiting,
  };
}

function readRecord(identity: Identity, stored: StoredRecord): LeaseRecord {
  const resourceVersion = stored.version === undefined ? identity.resourceVersion : BigInt(stored.version);
  // The lease of a node is held by the node's name: one string serves both.
  const holder = stored.holder === identity.name ? identity.name : orUsual(stored.holder, '');
  return {
    namespace: identity.namespace,
    name: identity.name,
    uid: orUsual(stored.uid, ''),
    state: orUsual(stored.state, 'AVAILABLE'),
    holder,
    lastHolder: orUsual(stored.lastHolder, holder),
    acquireId: orUsual(stored.acquireId, ''),
    durationMs: orUsual(stored.durationMs, 0),
    fencingToken: stored.token === undefined ? resourceVersion : BigInt(stored.token),
    resourceVersion,
    transitions: orUsual(stored.transitions, 0),
    renewals: orUsual(stored.renewals, 0),
    createTimeMs: orUsual(stored.createTimeMs, 0),
    acquireTimeMs: orUsual(stored.acquireTimeMs, 0),
    renewTimeMs: orUsual(stored.renewTimeMs, 0),
    endTimeMs: orUsual(stored.endTimeMs, 0),
    labels: sharedIfEmpty(stored.labels),
    annotations: sharedIfEmpty(stored.annotations),
    lockDelayMs: orUsual(stored.lockDelayMs, 0),
    delayed: orUsual(stored.delayed, false),
    keepAfterExpiryMs: stored.keepAfterExpiryMs,
    revoking: stored.revoking,
    reservedMs: stored.reservedMs,
    origin: orUsual(stored.origin, 'grpc'),
    kubernetes: stored.kubernetes,
    attendant: orUsual(stored.attendant, ''),
    waiting: orUsual(stored.waiting, nobodyElsewhere),
  };
}

function storedEvent(
  change: Change,
  event: LeaseEvent,
  { index, revision }: { readonly index: number; readonly revision: bigint },
): StoredEvent {
  // Of a change that grants, only the last event has the new token, as its record has.
  const isRecord = change.events[index]?.lease === change.record && (!change.grants || index === change.events.length - 1);
  return {
    type: event.type,
    reason: event.reason,
    lease: isRecord ? undefined : storedRecord(event.lease, revision),
    before: event.previousLabels,
  };
}

function unlessUsual<T>(value: T, usual: T): T | undefined {
  return value === usual ? undefined : value;
}

function orUsual<T>(stored: T | undefined, usual: T): T {
  return stored ?? usual;
}

function undefinedIfEmpty(map: StringMap): StringMap | undefined {
  for (const _ in map) {
    return map;
  }
  return undefined;
}

/** A million leases without labels share one map. */
function sharedIfEmpty(map: StringMap | undefined): StringMap {
  return (map && undefinedIfEmpty(map)) ?? emptyMap;
}
