import type { Attachment, AttachmentListener, Loss } from './api.js';
import type { Fifo } from './fifo.js';
import type { Pending, PendingWaiter } from './pending.js';
import type { ServerSessions } from './sessions.js';
import { WaitingBehindOthers, WaitQueue } from './wait-queue.js';
import type { CommittedChange } from '../lease/change.js';
import type { ChangeDecision } from '../lease/decision.js';
import { unconfirmedGrantMsMax } from '../lease/limits.js';
import { isHeld, isVisible, type LeaseKey, type LeaseRecord } from '../lease/record.js';
import type { Queue, Standing } from '../lease/situation.js';

/**
 * An instant before all others. A double from the start, because an engine that has taken a field for a small integer has to lay out
 * every object anew when the first fraction comes: a million of them, at a start.
 */
export const never: number = Number.NEGATIVE_INFINITY;

const nobodyWaits = new WaitQueue<PendingWaiter>();

/**
 * One lease in memory: its committed record, and what is live about it. Deadlines move here, by heartbeats; the record changes only
 * by `commit`.
 */
export class Entry implements Standing {
  readonly key: LeaseKey;
  readonly #sessions: ServerSessions;
  /** Who waits here: one empty queue serves all leases that nobody waits for. */
  waiters: WaitQueue<PendingWaiter> = nobodyWaits;
  record: LeaseRecord | undefined;
  /** While another server keeps the lease: before when it ends on no account. */
  deadlineMs: number = never;
  keptElsewhere = false;
  renewableUntilMs: number = Infinity;
  freeAtMs: number = never;
  collectAtMs: number = Infinity;
  confirmed = true;
  /** Whether a stall has moved the deadline since the last renewal: it does so once. */
  postponed = false;
  /** Not before then does the sweeper try again what failed for want of room. */
  retryAtMs: number = never;
  /** The earliest instant at which the sweeper will look at this lease; `Infinity`: it will not. */
  wakeAtMs: number = Infinity;
  /** The change in flight. At most one, and nothing is decided on top of it. */
  inFlight: ChangeDecision | undefined;
  /** Commands that wait for the outcome of a change in flight, or of one that time has made due. */
  blocked: Fifo<Pending> | undefined;
  /** What else waits for that. */
  #settling: (() => void)[] | undefined;
  #attachments: Set<LeaseAttachment> | undefined;
  /** When the last beat was read, which no checkpoint has recorded yet; `never`: there is none. */
  beatAtMs: number = never;
  /** When the record last caught up with the renewals. */
  recordedAtMs: number = never;
  /** When the next checkpoint of this lease is on the agenda; `Infinity`: none is. */
  checkpointAtMs: number = Infinity;

  constructor(key: LeaseKey, sessions: ServerSessions) {
    this.key = key;
    this.#sessions = sessions;
  }

  get name(): { readonly namespace: string; readonly name: string } {
    const slash = this.key.indexOf('/');
    return { namespace: this.key.slice(0, slash), name: this.key.slice(slash + 1) };
  }

  get queue(): Queue {
    const { record, waiters } = this;
    const isBehind =
      record !== undefined &&
      record.waiting.length > 0 &&
      this.#sessions.othersFirst(record.waiting, waiters.first() !== undefined);
    return isBehind ? new WaitingBehindOthers(waiters) : waiters;
  }

  get priorityHere(): number | undefined {
    return this.waiters.priority;
  }

  /** Takes over a change of another server. What it has renewed counts from now, when this server hears of it. */
  follow(committed: CommittedChange, now: Now): void {
    const { record } = this;
    const isRenewed = committed.record !== undefined && committed.record.renewals !== record?.renewals;
    this.commit(committed, { grantedTo: undefined, renews: isRenewed ? { from: 'commit' } : undefined }, now);
  }

  /** Takes over a committed change: the record, and what it means for what is live. */
  commit(committed: CommittedChange, decision: Effect, now: Now): void {
    const before = this.record;
    const { record } = committed;
    this.record = record;
    this.retryAtMs = never;
    if (isHeld(record) && record.fencingToken !== before?.fencingToken) {
      this.#beginTenure(record, decision, now.nowMs);
    } else if (isHeld(record)) {
      this.#continueTenure(record, before, decision, now.nowMs);
    } else {
      this.#endTenure(record, before, now);
    }
    this.#tell(before, committed, now.nowMs);
  }

  /**
   * Takes over a record that a store has kept, at a start: what is held counts in full from now, or for as long as a clean shutdown
   * has noted. Where other servers share the leases, one that has just lost one may not know it yet.
   */
  restore(record: LeaseRecord, notedMs: number | undefined, now: Now): void {
    this.record = record;
    this.recordedAtMs = now.nowMs;
    const { ttlMs } = this.#sessions;
    if (isHeld(record)) {
      this.keptElsewhere = this.#sessions.isElsewhere(record.attendant);
      this.deadlineMs = now.nowMs + (notedMs ?? record.durationMs + ttlMs);
      this.renewableUntilMs = record.revoking === undefined ? Infinity : now.nowMs + record.revoking.graceMs;
    } else if (record.reservedMs !== undefined) {
      this.freeAtMs = now.nowMs + (notedMs ?? record.reservedMs + ttlMs);
    } else {
      this.freeAtMs = record.delayed ? now.nowMs + (notedMs ?? record.lockDelayMs) : never;
      this.collectAtMs = collectAt(record, now);
    }
  }

  /** Counts a renewal that was read at `readAtMs`. Deadlines never go back. */
  renew(readAtMs: number, durationMs: number): void {
    const deadlineMs = readAtMs + durationMs;
    if (deadlineMs > this.deadlineMs) {
      this.deadlineMs = deadlineMs;
    }
    this.confirmed = true;
    this.postponed = false;
  }

  /** The server that kept this lease has gone: it counts in full from now. */
  loseAttendant(nowMs: number): void {
    if (this.keptElsewhere && isHeld(this.record)) {
      this.keptElsewhere = false;
      this.deadlineMs = Math.max(this.deadlineMs, nowMs + this.record.durationMs);
    }
  }

  /** When this lease next wants attention if nothing more happens; `Infinity`: never. */
  nextWakeMs(): number {
    return Math.max(this.#nextDueMs(), this.retryAtMs);
  }

  /** Tells the streams that a grace is over. */
  endGrace(nowMs: number): void {
    if (isHeld(this.record) && this.record.revoking !== undefined && nowMs >= this.renewableUntilMs) {
      this.#lose({ reason: 'REVOKED', holder: this.record.holder, fencingToken: this.record.fencingToken, graceMs: undefined });
    }
  }

  enqueue(waiter: PendingWaiter): void {
    if (this.waiters === nobodyWaits) {
      this.waiters = new WaitQueue();
    }
    this.waiters.add(waiter);
  }

  dequeue(waiter: PendingWaiter): void {
    this.waiters.remove(waiter);
    if (this.waiters.size === 0) {
      this.waiters = nobodyWaits;
    }
  }

  /** Keeps a stream told of this lease; of a revoke with grace that goes on, at once. */
  attach(attachment: LeaseAttachment, nowMs: number): void {
    this.#attachments ??= new Set();
    this.#attachments.add(attachment);
    if (this.record?.revoking !== undefined) {
      attachment.listener.onLoss(attachment, this.#revocation(this.record, nowMs));
    }
  }

  detach(attachment: LeaseAttachment): void {
    this.#attachments?.delete(attachment);
    if (this.#attachments?.size === 0) {
      this.#attachments = undefined;
    }
  }

  /** Runs `action` once the change in flight, or the one that is due, has its outcome. */
  whenSettled(action: () => void): void {
    this.#settling ??= [];
    this.#settling.push(action);
  }

  /** Lets go on what waited for an outcome. */
  settle(): void {
    const settling = this.#settling;
    this.#settling = undefined;
    settling?.forEach((action) => {
      action();
    });
  }

  /** Whether nothing is left to remember. */
  isEmpty(): boolean {
    return (
      this.record === undefined &&
      this.waiters.size === 0 &&
      this.inFlight === undefined &&
      this.blocked === undefined &&
      this.#settling === undefined
    );
  }

  #nextDueMs(): number {
    const { record } = this;
    if (isHeld(record)) {
      const graceEnds = record.revoking !== undefined && this.#attachments !== undefined ? this.renewableUntilMs : Infinity;
      const endsMs = this.keptElsewhere ? Infinity : this.deadlineMs + this.#delayMs(record);
      return Math.min(endsMs, graceEnds);
    }
    if (this.queue.first() !== undefined) {
      return this.freeAtMs;
    }
    if (record === undefined || this.queue.othersFirst) {
      return Infinity;
    }
    // Garbage is not collected in a lock delay, which survives in the record.
    const dueMs = record.reservedMs === undefined ? Math.max(this.collectAtMs, this.freeAtMs) : this.freeAtMs;
    return dueMs === Infinity ? Infinity : dueMs + this.#delayMs(record);
  }

  /** How much later this server does what any server may do, unless somebody here waits for it. */
  #delayMs({ attendant }: LeaseRecord): number {
    if (this.waiters.size > 0 || this.blocked !== undefined || (attendant !== '' && attendant === this.#sessions.own)) return 0;
    return this.#sessions.delayMs(this.key);
  }

  #beginTenure(record: LeaseRecord, decision: Effect, nowMs: number): void {
    this.keptElsewhere = this.#sessions.isElsewhere(record.attendant);
    const fromQueue = decision.grantedTo !== undefined;
    this.deadlineMs = nowMs + (fromQueue ? Math.min(record.durationMs, unconfirmedGrantMsMax) : record.durationMs);
    this.renewableUntilMs = Infinity;
    this.freeAtMs = never;
    this.collectAtMs = Infinity;
    this.confirmed = false;
    this.postponed = false;
    this.recordedAtMs = nowMs;
    this.beatAtMs = never;
  }

  #continueTenure(record: LeaseRecord, before: LeaseRecord | undefined, decision: Effect, nowMs: number): void {
    // Only the Kubernetes API makes a duration shorter, or longer without a renewal: what it writes counts at once.
    if (before !== undefined && record.origin === 'kubernetes') {
      this.deadlineMs += record.durationMs - before.durationMs;
    }
    if (decision.renews !== undefined) {
      this.renew(decision.renews.from === 'commit' ? nowMs : decision.renews.atMs, record.durationMs);
      this.recordedAtMs = nowMs;
      this.beatAtMs = never;
    }
    if (before !== undefined && record.attendant !== before.attendant) {
      this.#changeAttendant(record, before, nowMs);
    }
    if (record.revoking !== undefined && record.revoking !== before?.revoking) {
      this.renewableUntilMs = Math.min(this.renewableUntilMs, nowMs + record.revoking.graceMs);
    }
  }

  #changeAttendant(record: LeaseRecord, before: LeaseRecord, nowMs: number): void {
    // The one before may acknowledge until it has seen this.
    if (this.#sessions.isLive(before.attendant)) {
      this.deadlineMs = Math.max(this.deadlineMs, nowMs + this.#sessions.ttlMs + record.durationMs);
    }
    this.keptElsewhere = this.#sessions.isElsewhere(record.attendant);
    // One that has gone by the time that this is heard of has acknowledged until then at most.
    if (!this.keptElsewhere && record.attendant !== this.#sessions.own) {
      this.deadlineMs = Math.max(this.deadlineMs, nowMs + record.durationMs);
    }
  }

  #endTenure(record: LeaseRecord | undefined, before: LeaseRecord | undefined, now: Now): void {
    if (record?.reservedMs !== undefined) {
      // The name stays reserved until the deadline that was acknowledged last, or until the lock delay it was deleted in.
      this.freeAtMs = isHeld(before) ? this.#lastDeadlineMs(before, now) : this.freeAtMs;
    } else if (record === undefined) {
      this.freeAtMs = never;
    } else if (isHeld(before)) {
      this.freeAtMs = record.delayed ? now.nowMs + record.lockDelayMs : never;
    }
    this.collectAtMs = isVisible(record) ? collectAt(record, now) : Infinity;
    this.renewableUntilMs = Infinity;
    this.confirmed = true;
    this.beatAtMs = never;
    this.keptElsewhere = false;
  }

  /** The last deadline that can have been acknowledged: by another server, until that has seen the end. */
  #lastDeadlineMs({ durationMs }: LeaseRecord, { nowMs }: Now): number {
    return this.keptElsewhere ? nowMs + this.#sessions.ttlMs + durationMs : this.deadlineMs;
  }

  /** Tells the streams that keep this lease alive what has become of it. */
  #tell(before: LeaseRecord | undefined, committed: CommittedChange, nowMs: number): void {
    if (this.#attachments === undefined || before === undefined) {
      return;
    }
    const { record } = this;
    if (isHeld(record) && record.fencingToken === before.fencingToken) {
      this.#tellLiving(record, before, nowMs);
      return;
    }
    this.#lose({
      reason: lossReason(committed),
      holder: isHeld(record) ? record.holder : '',
      fencingToken: record?.fencingToken ?? before.fencingToken,
      graceMs: undefined,
    });
  }

  #tellLiving(record: LeaseRecord, before: LeaseRecord, nowMs: number): void {
    // Whether or not the one that it has moved to lives yet: who has been replaced keeps it no more.
    if (record.attendant !== before.attendant && record.attendant !== this.#sessions.own) {
      this.#lose({ reason: 'MOVED', holder: record.holder, fencingToken: record.fencingToken, graceMs: undefined });
      return;
    }
    if (record.revoking !== undefined && record.revoking.graceMs !== before.revoking?.graceMs) {
      this.#lose(this.#revocation(record, nowMs));
    }
    if (record.durationMs !== before.durationMs) {
      this.#attachments?.forEach((attachment) => {
        attachment.listener.onDuration(attachment, record.durationMs);
      });
    }
  }

  /** What a stream hears of a revoke: how long beats count yet, if they do. */
  #revocation(record: LeaseRecord, nowMs: number): Loss {
    const leftMs = this.renewableUntilMs - nowMs;
    return {
      reason: 'REVOKED',
      holder: record.holder,
      fencingToken: record.fencingToken,
      graceMs: leftMs > 0 ? leftMs : undefined,
    };
  }

  #lose(loss: Loss): void {
    const attachments = this.#attachments;
    if (loss.graceMs === undefined) {
      this.#attachments = undefined;
    }
    attachments?.forEach((attachment) => {
      if (loss.graceMs === undefined) {
        attachment.entry = undefined;
      }
      attachment.listener.onLoss(attachment, loss);
    });
  }
}

/** When something happens, by both clocks. */
export interface Now {
  readonly nowMs: number;
  readonly wallMs: number;
}

/** What a change does beyond the record. */
type Effect = Pick<ChangeDecision, 'grantedTo' | 'renews'>;

/** A held lease on a stream of heartbeats. */
export class LeaseAttachment implements Attachment {
  readonly fencingToken: bigint;
  readonly listener: AttachmentListener;
  /** The lease; `undefined` once it is lost or detached. */
  entry: Entry | undefined;

  constructor(entry: Entry, fencingToken: bigint, listener: AttachmentListener) {
    this.entry = entry;
    this.fencingToken = fencingToken;
    this.listener = listener;
  }

  get durationMs(): number {
    return this.entry?.record?.durationMs ?? 0;
  }
}

function lossReason(committed: CommittedChange): Loss['reason'] {
  const ending = committed.events[0];
  switch (ending?.type) {
    case 'EXPIRED':
    case 'DELETED':
      return ending.type;
    default:
      return ending?.reason === 'REVOKED' ? 'REVOKED' : 'RELEASED';
  }
}

/** When an expired lease is garbage. By the wall clock across restarts, which costs nothing but tidiness when it jumps. */
function collectAt(record: LeaseRecord, now: Now): number {
  if (record.state !== 'EXPIRED' || record.keepAfterExpiryMs === undefined) {
    return Infinity;
  }
  const leftMs = record.endTimeMs + record.keepAfterExpiryMs - now.wallMs;
  return now.nowMs + Math.min(Math.max(leftMs, 0), record.keepAfterExpiryMs);
}
