import type { WriteCommand } from '../commands.js';
import { changing, recordOf, refuse, type ChangeDecision, type Decision, type RenewedFrom } from '../decision.js';
import { LeaseError } from '../errors.js';
import type { KubernetesPart } from '../kubernetes-part.js';
import { durationOf, kubernetesSpec, sameSpec } from '../kubernetes.js';
import { isHeld, leaseKey, sameMap, type LeaseRecord } from '../record.js';
import { detailOf, notFound, revoked, staleVersion, visible } from '../refusals.js';
import { inTheWayMs, situationOf, type Moment, type Standing } from '../situation.js';
import { beginTenure, endChange, newRecord } from '../tenure.js';
import { decideRemoval, remove } from './manage.js';

/**
 * Writes a whole object as the Kubernetes API has it. There a spec is only data: what it says about a holder is turned into the tenure
 * that it means.
 *
 * - no holder: ends the tenure, if there is one;
 * - the living holder with another `renewTime`: a renewal;
 * - another holder, or one on a lease that nobody holds: a new tenure, of Kubernetes origin.
 *
 * The spec of a living lease of gRPC origin cannot be written: its holder trusts in the rules of that API.
 */
export function decideWrite(standing: Standing, command: WriteCommand, moment: Moment): Decision {
  const record = visible(standing);
  if (record === undefined) return decideCreate(standing, command, moment);
  if (command.resourceVersion === 0n) {
    const message = `Create lease ${record.namespace}/${record.name}: it exists already`;
    return refuse(new LeaseError('LEASE_EXISTS', message, detailOf(standing, record, moment)));
  }
  if (command.resourceVersion !== record.resourceVersion) return refuse(staleVersion(record, command.resourceVersion));
  const written = write(record, command);
  if (written.kubernetes.deletionTimeMs !== undefined && written.kubernetes.finalizers.length === 0) {
    if (command.dryRun) return { kind: 'answer', answer: { kind: 'deleted', record, reservedMs: undefined } };
    // As a deletion of it would be: Kubernetes' own are gone at once.
    return record.origin === 'kubernetes' ? remove(record, undefined, undefined) : decideRemoval(standing, record, moment);
  }
  if (sameSpec(kubernetesSpec(record), command.spec)) return decideMetadata(record, written, command);
  const refusal = refusalOfSpec(standing, record, command, moment);
  return refusal === undefined ? decideSpec(standing as Visible, written, command, moment) : refuse(refusal);
}

type Written = LeaseRecord & { readonly kubernetes: KubernetesPart };

/** Of a lease that callers can see. */
type Visible = Standing & { readonly record: LeaseRecord };

/** What another spec means for the tenure. */
function decideSpec(standing: Visible, written: Written, command: WriteCommand, moment: Moment): Decision {
  const { record } = standing;
  const holder = command.spec.holderIdentity ?? '';
  if (isHeld(record)) {
    if (holder === '') return release(standing, written, command, moment);
    return holder === record.holder ? prolong(record, written, command, moment) : grant(record, written, command, moment);
  }
  // An expired lease is not revived by a write that only repeats when it was renewed.
  const claims = holder !== '' && (record.state !== 'EXPIRED' || isRenewed(record, command) || holder !== record.holder);
  return claims ? grant(record, written, command, moment) : update(record, written, command);
}

function decideCreate(standing: Standing, command: WriteCommand, moment: Moment): Decision {
  if (command.resourceVersion !== 0n) return refuse(notFound(command));
  const { record } = standing;
  if (record !== undefined && moment.nowMs < standing.freeAtMs) {
    const remainingMs = inTheWayMs(standing, moment.nowMs);
    const message = `Create lease ${command.namespace}/${command.name}: the name of a deleted lease is reserved, ${Math.ceil(remainingMs)} ms left`;
    return refuse(new LeaseError('NAME_RESERVED', message, { ...detailOf(standing, record, moment), remainingMs }));
  }
  if (record !== undefined || standing.queue.first() !== undefined) return { kind: 'await' };
  const written = write(newRecord(command, moment), command);
  const holder = command.spec.holderIdentity ?? '';
  const created = holder === '' ? written : tenure(written, holder, command, moment);
  return finish(command, {
    key: leaseKey(command.namespace, command.name),
    expected: 0n,
    record: created,
    grants: holder !== '',
    events: [{ type: holder === '' ? 'CREATED' : 'ACQUIRED', reason: 'REQUESTED', lease: created, previousLabels: undefined }],
  });
}

/** The record with what the object says besides its tenure. */
function write(record: LeaseRecord, { spec, labels, annotations, part }: WriteCommand): Written {
  const kubernetes = { ...part, spec, deletionTimeMs: record.kubernetes?.deletionTimeMs };
  return { ...record, labels, annotations, kubernetes };
}

/** Why the spec cannot be written now. */
function refusalOfSpec(standing: Standing, record: LeaseRecord, command: WriteCommand, moment: Moment): LeaseError | undefined {
  const held = (why: string): LeaseError =>
    new LeaseError('LEASE_HELD', `Lease ${record.namespace}/${record.name} ${why}`, detailOf(standing, record, moment));
  const holder = command.spec.holderIdentity ?? '';
  if (!isHeld(record)) {
    if (holder === '' || situationOf(standing, moment.nowMs) !== 'delayed') return undefined;
    return held(`cannot be granted: its lock delay runs, ${Math.ceil(inTheWayMs(standing, moment.nowMs))} ms left`);
  }
  if (record.origin === 'grpc') {
    return held(`is held over gRPC by ${JSON.stringify(record.holder)}: its spec cannot be written while it lives`);
  }
  if (record.revoking !== undefined && holder !== '') return revoked(standing, record, moment);
  if (command.strict && holder !== '' && holder !== record.holder) {
    return held(`is held by ${JSON.stringify(record.holder)}: a living lease is not taken from its holder`);
  }
  return undefined;
}

/** Labels, annotations and the like; nothing about the tenure. */
function decideMetadata(record: LeaseRecord, written: Written, command: WriteCommand): Decision {
  // What was never written stays unwritten: the record goes on to say it.
  const next = { ...written, kubernetes: { ...written.kubernetes, spec: record.kubernetes?.spec } };
  if (isSame(record, next)) return { kind: 'answer', answer: { kind: 'written', record } };
  return update(record, next, command);
}

function update(record: LeaseRecord, next: LeaseRecord, command: WriteCommand): Decision {
  return finish(command, changeOf(record, next, 'UPDATED'));
}

/** Without a new `renewTime` only what else the spec says changes; the duration counts at once in either case. */
function prolong(record: LeaseRecord, written: Written, command: WriteCommand, moment: Moment): Decision {
  const renews = isRenewed(record, command);
  const next: LeaseRecord = {
    ...written,
    durationMs: durationOf(command.spec),
    renewals: record.renewals + (renews ? 1 : 0),
    renewTimeMs: renews ? moment.wallMs : record.renewTimeMs,
  };
  return finish(
    command,
    changeOf(record, next, renews ? 'RENEWED' : 'UPDATED'),
    renews ? { renews: { from: 'read', atMs: command.readAtMs } satisfies RenewedFrom } : {},
  );
}

function grant(record: LeaseRecord, written: Written, command: WriteCommand, moment: Moment): Decision {
  const next = tenure(written, command.spec.holderIdentity ?? '', command, moment);
  return finish(command, { ...changeOf(record, next, 'ACQUIRED'), grants: true }, { ends: isHeld(record) });
}

function release(standing: Standing, written: Written, command: WriteCommand, moment: Moment): Decision {
  const ending = { type: 'RELEASED', reason: 'REQUESTED', delayed: false, transferTo: '' } as const;
  const { change, grantedTo } = endChange(written, ending, standing.queue, moment);
  // Unless somebody has it now, the object stays as it was written.
  const stays = { ...change.record, kubernetes: written.kubernetes } as LeaseRecord;
  const kept =
    grantedTo === undefined
      ? { ...change, record: stays, events: change.events.map((event) => ({ ...event, lease: stays })) }
      : change;
  return finish(command, kept, { grantedTo, ends: true });
}

function tenure(written: Written, holder: string, command: WriteCommand, moment: Moment): LeaseRecord {
  const begun = beginTenure(written, { holder, acquireId: '', durationMs: durationOf(command.spec) }, moment);
  return { ...begun, origin: 'kubernetes', kubernetes: written.kubernetes, attendant: '' };
}

function changeOf(record: LeaseRecord, next: LeaseRecord, type: 'UPDATED' | 'RENEWED' | 'ACQUIRED'): ChangeDecision['change'] {
  return {
    key: leaseKey(record.namespace, record.name),
    expected: record.resourceVersion,
    record: next,
    grants: false,
    events: [{ type, reason: 'REQUESTED', lease: next, previousLabels: record.labels }],
  };
}

function finish(command: WriteCommand, change: ChangeDecision['change'], parts: Partial<ChangeDecision> = {}): Decision {
  if (command.dryRun && change.record !== undefined) {
    return { kind: 'answer', answer: { kind: 'written', record: change.record } };
  }
  return changing(change, (committed) => ({ kind: 'written', record: recordOf(committed) }), parts);
}

function isRenewed(record: LeaseRecord, { spec }: WriteCommand): boolean {
  return spec.renewTime !== kubernetesSpec(record).renewTime;
}

function isSame(before: LeaseRecord, after: Written): boolean {
  return (
    sameMap(before.labels, after.labels) &&
    sameMap(before.annotations, after.annotations) &&
    JSON.stringify(partOf(before)) === JSON.stringify(partOf(after))
  );
}

function partOf({ kubernetes }: LeaseRecord): unknown[] {
  if (kubernetes === undefined) return ['', [], [], []];
  const { generateName, ownerReferences, finalizers, managedFields } = kubernetes;
  return [generateName, ownerReferences, finalizers, managedFields];
}
