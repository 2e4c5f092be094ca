import type { CreateCommand, DeleteCommand, UpdateCommand } from '../commands.js';
import { changing, recordOf, refuse, type Decision } from '../decision.js';
import { LeaseError } from '../errors.js';
import type { KubernetesPart } from '../kubernetes-part.js';
import { finalizersInTheWay } from '../kubernetes.js';
import { emptyMap, isHeld, leaseKey, sameMap, type LeaseRecord, type StringMap } from '../record.js';
import { detailOf, notFound, notTheHolder, staleVersion, visible } from '../refusals.js';
import { inTheWayMs, situationOf, type Moment, type Standing } from '../situation.js';
import { newRecord } from '../tenure.js';
import { checkAnnotations, checkLabels } from '../validate.js';

/** Makes a record that nobody holds. */
export function decideCreate(standing: Standing, command: CreateCommand, moment: Moment): Decision {
  const { record } = standing;
  const name = `${command.namespace}/${command.name}`;
  if (record === undefined) {
    return create(command, moment);
  }
  const detail = detailOf(standing, record, moment);
  if (situationOf(standing, moment.nowMs) === 'reserved') {
    const remainingMs = Math.max(0, standing.freeAtMs - moment.nowMs);
    const message = `Create lease ${name}: the name of a deleted lease is reserved, ${Math.ceil(remainingMs)} ms left`;
    return refuse(new LeaseError('NAME_RESERVED', message, { ...detail, remainingMs }));
  }
  return refuse(new LeaseError('LEASE_EXISTS', `Create lease ${name}: it exists already`, detail));
}

function create(command: CreateCommand, moment: Moment): Decision {
  const { metadata } = command;
  const record: LeaseRecord = {
    ...newRecord(command, moment),
    labels: metadata.labels ?? emptyMap,
    annotations: metadata.annotations ?? emptyMap,
    lockDelayMs: metadata.lockDelayMs ?? 0,
    keepAfterExpiryMs: metadata.keepAfterExpiryMs,
  };
  return changing(
    {
      key: leaseKey(command.namespace, command.name),
      expected: 0n,
      record,
      grants: false,
      events: [{ type: 'CREATED', reason: 'REQUESTED', lease: record, previousLabels: undefined }],
    },
    (committed) => ({ kind: 'written', record: recordOf(committed) }),
  );
}

/** Merges labels, annotations and spec onto the record; changes nothing about the tenure. */
export function decideUpdate(standing: Standing, command: UpdateCommand, moment: Moment): Decision {
  const record = visible(standing);
  if (record === undefined) {
    return refuse(notFound(command));
  }
  if (command.resourceVersion !== 0n && command.resourceVersion !== record.resourceVersion) {
    return refuse(staleVersion(record, command.resourceVersion));
  }
  if (command.fencingToken !== 0n && !(isHeld(record) && record.fencingToken === command.fencingToken)) {
    return refuse(notTheHolder(standing, record, command.fencingToken, moment));
  }
  const next = merge(record, command);
  try {
    checkLabels(next.labels, moment.limits);
    checkAnnotations(next.annotations, moment.limits);
  } catch (error) {
    if (error instanceof LeaseError) {
      return refuse(error);
    }
    throw error;
  }
  if (isSame(record, next)) {
    return { kind: 'answer', answer: { kind: 'written', record } };
  }
  return changing(
    {
      key: leaseKey(record.namespace, record.name),
      expected: record.resourceVersion,
      record: next,
      grants: false,
      events: [{ type: 'UPDATED', reason: 'REQUESTED', lease: next, previousLabels: record.labels }],
    },
    (committed) => ({ kind: 'written', record: recordOf(committed) }),
  );
}

/** Deletes a record. What its holder may still believe in, or a lock delay, keeps the name reserved unless forced. */
export function decideDelete(standing: Standing, command: DeleteCommand, moment: Moment): Decision {
  const record = visible(standing);
  if (record === undefined) {
    return refuse(notFound(command));
  }
  const refusal = guardDelete(standing, record, command, moment);
  if (refusal !== undefined) {
    return refuse(refusal);
  }
  if (record.kubernetes !== undefined && finalizersInTheWay(record.kubernetes).length > 0) {
    return mark(record, record.kubernetes, moment);
  }
  return command.force ? remove(record, undefined, undefined) : decideRemoval(standing, record, moment);
}

/** Removes a record that callers can see, and keeps the name for as long as its holder may believe in it, or its lock delay runs. */
export function decideRemoval(standing: Standing, record: LeaseRecord, moment: Moment): Decision {
  switch (situationOf(standing, moment.nowMs)) {
    case 'absent':
    case 'reserved':
      return refuse(notFound(record));
    case 'available':
    case 'expired':
      return remove(record, undefined, undefined);
    case 'delayed':
      return remove(record, record.lockDelayMs, inTheWayMs(standing, moment.nowMs));
    case 'held':
    case 'overdue':
    case 'grace':
    case 'revoking':
      return remove(record, record.durationMs, inTheWayMs(standing, moment.nowMs));
  }
}

/**
 * Removes a record, and keeps its name reserved if it is to be.
 *
 * @param reservedMs for how long the name is reserved after a start, which counts it in full; `undefined`: it is not
 * @param leftMs for how long it is reserved from now
 */
export function remove(record: LeaseRecord, reservedMs: number | undefined, leftMs: number | undefined): Decision {
  return changing(
    {
      key: leaseKey(record.namespace, record.name),
      expected: record.resourceVersion,
      record: reservedMs === undefined ? undefined : { ...record, reservedMs },
      grants: false,
      events: [{ type: 'DELETED', reason: 'REQUESTED', lease: record, previousLabels: record.labels }],
    },
    (committed) => ({ kind: 'deleted', record: { ...record, resourceVersion: committed.revision }, reservedMs: leftMs }),
    { ends: isHeld(record) },
  );
}

/** What has finalizers is only marked; it goes with the last of them. */
function mark(record: LeaseRecord, part: KubernetesPart, moment: Moment): Decision {
  if (part.deletionTimeMs !== undefined) {
    return { kind: 'answer', answer: { kind: 'deleted', record, reservedMs: undefined } };
  }
  const marked: LeaseRecord = { ...record, kubernetes: markedPart(part, moment.wallMs) };
  return changing(
    {
      key: leaseKey(record.namespace, record.name),
      expected: record.resourceVersion,
      record: marked,
      grants: false,
      events: [{ type: 'UPDATED', reason: 'REQUESTED', lease: marked, previousLabels: record.labels }],
    },
    (committed) => ({ kind: 'deleted', record: recordOf(committed), reservedMs: undefined }),
  );
}

/** Kubernetes counts the mark as a change of what is wanted, where such changes are counted. */
export function markedPart(part: KubernetesPart, deletionTimeMs: number): KubernetesPart {
  const { generation = 0 } = part;
  const finalizers = finalizersInTheWay(part);
  return { ...part, ...(generation > 0 ? { generation: generation + 1 } : {}), finalizers, deletionTimeMs };
}

function guardDelete(standing: Standing, record: LeaseRecord, command: DeleteCommand, moment: Moment): LeaseError | undefined {
  if (command.uid !== '' && command.uid !== record.uid) {
    const message = `Delete lease ${record.namespace}/${record.name}: it has uid ${record.uid}, expected ${command.uid}`;
    return new LeaseError('LEASE_LOST', message, detailOf(standing, record, moment));
  }
  if (command.fencingToken !== 0n && command.fencingToken !== record.fencingToken) {
    return notTheHolder(standing, record, command.fencingToken, moment);
  }
  if (command.resourceVersion !== 0n && command.resourceVersion !== record.resourceVersion) {
    return staleVersion(record, command.resourceVersion);
  }
  if (isHeld(record) && command.uid === '' && command.fencingToken === 0n) {
    const message = `Delete lease ${record.namespace}/${record.name}: it is held, say by uid or fencing_token which tenure is meant`;
    return new LeaseError('LEASE_HELD', message, detailOf(standing, record, moment));
  }
  return undefined;
}

function merge(record: LeaseRecord, command: UpdateCommand): LeaseRecord {
  const { set } = command;
  return {
    ...record,
    labels: mergeMap(record.labels, set.labels, command.removeLabels),
    annotations: mergeMap(record.annotations, set.annotations, command.removeAnnotations),
    lockDelayMs: set.lockDelayMs ?? record.lockDelayMs,
    keepAfterExpiryMs: set.keepAfterExpiryMs ?? record.keepAfterExpiryMs,
  };
}

function mergeMap(before: StringMap, set: StringMap | undefined, remove: readonly string[]): StringMap {
  const removed = new Set(remove);
  const kept = Object.entries(before).filter(([key]) => !removed.has(key));
  const merged = Object.fromEntries([...kept, ...Object.entries(set ?? emptyMap)]);
  return Object.keys(merged).length === 0 ? emptyMap : merged;
}

function isSame(before: LeaseRecord, after: LeaseRecord): boolean {
  return (
    before.lockDelayMs === after.lockDelayMs &&
    before.keepAfterExpiryMs === after.keepAfterExpiryMs &&
    sameMap(before.labels, after.labels) &&
    sameMap(before.annotations, after.annotations)
  );
}
