import type { Entry } from './entry.js';
import type { LeaseTable } from './lease-table.js';
import { ofServer, type Pending, type PendingWaiter } from './pending.js';
import type { Sweeper } from './sweeper.js';
import type { Waiting } from './waiting.js';
import type { WatchHub } from './watch-hub.js';
import type { Clock } from '../clock.js';
import type { CommittedChange } from '../lease/change.js';
import type { ChangeDecision } from '../lease/decision.js';
import { LeaseError, storeFull } from '../lease/errors.js';
import { isVisible } from '../lease/record.js';
import { StoreFullError } from '../store/store.js';

/** How long after a full store the server tries again to commit what time has made due. */
const retryMs = 1000;

/** What has become of a commit: it is made known to everybody, or those who asked hear that it failed. */
export class CommitOutcome {
  readonly #parts: CommitOutcomeParts;
  readonly #cancelRetries = new Set<() => void>();

  constructor(parts: CommitOutcomeParts) {
    this.#parts = parts;
  }

  /** Makes a commit known, in this order: the table and what is live, the streams of heartbeats, watchers, those who asked. */
  publish(batch: readonly Staged[], committed: readonly CommittedChange[], decidedMs: number): void {
    const { clock, hub } = this.#parts;
    const now = { nowMs: clock.monotonicMs(), wallMs: clock.wallMs() };
    const before = batch.map(({ entry }) => entry.record);
    batch.forEach((staged, index) => {
      const change = committed[index];
      if (change !== undefined) {
        this.#apply(staged, change, now);
      }
    });
    hub.publish(committed, before);
    batch.forEach((staged, index) => {
      const change = committed[index];
      if (change !== undefined) {
        this.#answer(staged, change);
      }
    });
    this.#parts.sweeper.sweep();
    this.#countCheckpoints(batch, decidedMs + clock.monotonicMs() - now.nowMs);
  }

  /** Nothing of it is known to have been done. */
  failed(batch: readonly Staged[], error: unknown): void {
    for (const { entry } of batch) {
      entry.inFlight = undefined;
    }
    if (error instanceof StoreFullError) {
      this.#storeFull(batch, error);
    } else {
      // Also a version that is not the one in memory: then this memory is not what the store has.
      this.#outcomeUnknown(batch, error);
    }
  }

  /** Nothing is tried again. */
  stop(): void {
    this.#cancelRetries.forEach((cancel) => {
      cancel();
    });
  }

  #apply({ entry, decision, heir }: Staged, change: CommittedChange, now: { nowMs: number; wallMs: number }): void {
    const wasVisible = isVisible(entry.record);
    entry.inFlight = undefined;
    entry.commit(change, decision, now);
    if (heir !== undefined) {
      this.#parts.waiting.granted(entry, heir);
    }
    this.#parts.table.refresh(entry, wasVisible);
  }

  #answer({ entry, pending, decision, heir }: Staged, change: CommittedChange): void {
    pending.resolve(decision.answer(change));
    const grantee = decision.grantsCaller ? pending : heir?.pending;
    if (heir !== undefined && change.record !== undefined) {
      heir.pending.resolve({ kind: 'granted', record: change.record });
    }
    if (grantee?.caller.gone === true) {
      this.#abandonGrant(entry, change.revision);
    }
    if (pending.command.kind === 'elapse') {
      this.#parts.sweeper.done();
    }
    this.#parts.goOn(entry);
  }

  /** The caller of a new grant is gone: the next commit takes it back, unless the holder shows itself until then. */
  #abandonGrant(entry: Entry, resourceVersion: bigint): void {
    this.#parts.add(ofServer({ kind: 'abandon', ...entry.name, resourceVersion }));
  }

  /** Nothing was changed: callers are refused, and what time has made due is tried again. */
  #storeFull(batch: readonly Staged[], cause: StoreFullError): void {
    for (const { entry, pending, heir } of batch) {
      if (heir !== undefined) {
        this.#parts.waiting.notGranted(entry, heir);
      }
      if (pending.command.kind === 'elapse') {
        this.#parts.sweeper.done();
        entry.retryAtMs = this.#parts.clock.monotonicMs() + retryMs;
      } else if (pending.command.kind === 'abandon') {
        this.#retry(pending);
      } else {
        pending.reject(storeFull(cause));
      }
      this.#parts.goOn(entry);
    }
  }

  #retry(pending: Pending): void {
    const cancel = this.#parts.clock.after(retryMs, () => {
      this.#cancelRetries.delete(cancel);
      this.#parts.add(pending);
    });
    this.#cancelRetries.add(cancel);
  }

  #outcomeUnknown(batch: readonly Staged[], cause: unknown): void {
    const unknown = new LeaseError('OUTCOME_UNKNOWN', 'Commit failed: it may or may not have taken effect', {}, { cause });
    for (const { pending, heir } of batch) {
      pending.reject(unknown);
      heir?.pending.reject(unknown);
    }
    this.#parts.onFailure(cause instanceof Error ? cause : new Error(String(cause)));
    for (const { entry } of batch) {
      entry.settle();
    }
  }

  /** Tells what share of the loop's time the checkpoints of a commit took. */
  #countCheckpoints(batch: readonly Staged[], spentMs: number): void {
    const checkpoints = batch.filter(({ pending }) => pending.command.kind === 'checkpoint').length;
    if (checkpoints > 0) {
      this.#parts.onCheckpointCost((spentMs * checkpoints) / batch.length);
    }
  }
}

/** What the outcome of a commit concerns. */
export interface CommitOutcomeParts {
  readonly clock: Clock;
  readonly table: LeaseTable;
  readonly waiting: Waiting;
  readonly sweeper: Sweeper;
  readonly hub: WatchHub;
  /** Brings a command to its decision. */
  add(pending: Pending): void;
  /** Nothing is in flight for a lease any more. */
  goOn(entry: Entry): void;
  onCheckpointCost(ms: number): void;
  /** A commit has an unknown outcome. */
  onFailure(error: Error): void;
}

/** A change in the commit under way. */
export interface Staged {
  readonly entry: Entry;
  readonly pending: Pending;
  readonly decision: ChangeDecision;
  /** The waiter whom it grants the lease. */
  readonly heir: PendingWaiter | undefined;
}
