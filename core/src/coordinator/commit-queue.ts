import type { Entry } from './entry.js';
import { BlockedCommands } from './blocked-commands.js';
import { CommitOutcome, type CommitOutcomeParts, type Staged } from './commit-outcome.js';
import { Fifo } from './fifo.js';
import { ForeignChanges } from './foreign-changes.js';
import { nobody, ofServer, type Pending } from './pending.js';
import type { ServerSessions } from './sessions.js';
import { UncertainCommands } from './uncertain-commands.js';
import type { CommittedChange } from '../lease/change.js';
import type { AcquireCommand, Command } from '../lease/commands.js';
import { decide } from '../lease/decide.js';
import type { ChangeDecision } from '../lease/decision.js';
import { limitExceeded, storeFull, type LeaseError } from '../lease/errors.js';
import type { Limits } from '../lease/limits.js';
import { isVisible, leaseKey } from '../lease/record.js';
import type { Moment } from '../lease/situation.js';
import { withWaiting } from '../lease/waiting-servers.js';
import type { Store } from '../store/store.js';

/** How many commands are decided in one turn of the event loop. */
const decidedMax = 4096;

/**
 * Commands on their way through decision and commit.
 *
 * One commit is under way at a time, and it holds at most one change of a lease. Commands are decided when their commit begins, so
 * always on committed state; one whose lease has a change in flight waits for its outcome. So no answer ever follows from a state
 * that is not committed, and a commit that fails takes nothing with it but its own changes.
 *
 * Where other servers share the leases, a commit goes through only on top of everything that was committed before, wherever. What
 * another server was faster with is taken over, and the rest decided again. What needs no commit is answered once this server has caught up.
 */
export class CommitQueue {
  readonly #parts: CommitQueueParts;
  readonly #queue = new Fifo<Pending>();
  #elapsed: Entry[] = [];
  readonly #blocked = new BlockedCommands();
  readonly #uncertain: UncertainCommands;
  readonly #foreign: ForeignChanges;
  readonly #outcome: CommitOutcome;
  #committing = false;
  #scheduled = false;
  #abandoned = false;
  #idle: (() => void)[] = [];

  constructor(parts: CommitQueueParts) {
    this.#parts = parts;
    this.#uncertain = new UncertainCommands(
      () => parts.catchUp(),
      (commands) => {
        commands.forEach((pending) => {
          this.#queue.push(pending);
        });
        this.#schedule();
      },
    );
    this.#foreign = new ForeignChanges(parts, (entry) => {
      this.goOn(entry);
      this.#schedule();
    });
    this.#outcome = new CommitOutcome({
      ...parts,
      add: (pending) => {
        this.add(pending);
      },
      goOn: (entry) => {
        this.goOn(entry);
      },
    });
  }

  /** How many commands wait. */
  get length(): number {
    return this.#queue.length + this.#blocked.count + this.#uncertain.count;
  }

  add(pending: Pending): void {
    this.#queue.push(pending);
    this.#schedule();
  }

  /** Does what time has made due for a lease. The sweeper hears when it is done. */
  elapse(entry: Entry): void {
    this.#elapsed.push(entry);
    this.#schedule();
  }

  /** Takes over changes of another server. */
  follow(changes: readonly CommittedChange[]): void {
    this.#foreign.keep(changes);
    if (!this.#committing) {
      this.#foreign.takeOver();
    }
  }

  /** Lets the other servers know who waits here, if that has changed. */
  enlist(entry: Entry): void {
    const { record } = entry;
    if (record === undefined || entry.inFlight !== undefined || this.#parts.sessions.own === '') return;
    if (withWaiting(record, entry, this.moment()) !== record) {
      this.add(ofServer({ kind: 'enlist', ...entry.name }));
    }
  }

  /** Resolves once everything is committed and answered; what waits for something that will not happen any more is refused. */
  async finish(error: LeaseError): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#idle.push(resolve);
      this.#schedule();
    });
    this.abandon(error);
  }

  /** Refuses everything that waits, for good. */
  abandon(error: LeaseError): void {
    this.#abandoned = true;
    this.#outcome.stop();
    for (const pending of [...this.#uncertain.takeAll(), ...this.#blocked.takeAll(), ...this.#queue.takeAll()]) {
      pending.reject(error);
    }
    this.#elapsed = [];
    this.#becomeIdle();
  }

  /** Now, for a decision. */
  moment(): Moment {
    const { clock, limits, sessions } = this.#parts;
    return { nowMs: clock.monotonicMs(), wallMs: clock.wallMs(), limits, sessions, newUid: () => this.#parts.newUid() };
  }

  /** What arrives together is decided together: the input that waits now is read first. */
  #schedule(): void {
    if (!this.#scheduled && !this.#committing && !this.#abandoned) {
      this.#scheduled = true;
      this.#parts.clock.soon(() => {
        this.#scheduled = false;
        this.#next();
      });
    }
  }

  /** Decides what is there, as far as it fits into one commit, and commits it. */
  #next(): void {
    if (this.#committing || this.#abandoned) {
      return;
    }
    const startMs = this.#parts.clock.monotonicMs();
    const batch: Staged[] = [];
    this.#decideElapsed(batch);
    this.#decideAll(batch);
    void this.#uncertain.wait();
    if (batch.length > 0) {
      void this.#commit(batch, startMs);
    } else if (this.#queue.length > 0 || this.#blocked.hasSettled || this.#elapsed.length > 0) {
      this.#schedule();
    } else if (this.#uncertain.count === 0) {
      this.#becomeIdle();
    }
  }

  #becomeIdle(): void {
    this.#idle.splice(0).forEach((resolve) => {
      resolve();
    });
  }

  #decideElapsed(batch: Staged[]): void {
    const entries = this.#elapsed;
    this.#elapsed = [];
    for (const entry of entries) {
      // A change in flight brings the lease back to the sweeper.
      if (entry.inFlight !== undefined || !this.#decide(entry, ofServer({ kind: 'elapse', ...entry.name }), batch)) {
        this.#parts.sweeper.done();
        this.goOn(entry);
      }
    }
  }

  /** Those that waited for an outcome come before those that have arrived since. */
  #decideAll(batch: Staged[]): void {
    const hasRoom = (): boolean => batch.length < this.#parts.batchMax;
    this.#blocked.takeSettled().forEach((entry) => {
      this.#blocked.handOver(entry, hasRoom, (pending) => this.#decide(entry, pending, batch));
      this.#parts.table.forgetIfEmpty(entry);
    });
    // What needs no commit fills none: everybody else is not to wait until all of it is answered.
    for (let decided = 0; hasRoom() && decided < decidedMax; decided += 1) {
      const pending = this.#queue.shift();
      if (pending === undefined) {
        return;
      }
      const entry = this.#parts.table.getOrAdd(leaseKey(pending.command.namespace, pending.command.name));
      if (entry.inFlight === undefined) {
        this.#decide(entry, pending, batch);
        this.#parts.table.forgetIfEmpty(entry);
      } else {
        this.#blocked.add(entry, pending);
      }
    }
  }

  /** Decides one command; returns whether it is in the batch now. */
  #decide(entry: Entry, pending: Pending, batch: Staged[]): boolean {
    const decision = decide(entry, pending.command, this.moment());
    if (decision.kind !== 'change' && decision.kind !== 'await' && this.#isUncertain(pending)) {
      this.#uncertain.add(pending);
      return false;
    }
    switch (decision.kind) {
      case 'answer':
        pending.resolve(decision.answer);
        return false;
      case 'refuse':
        pending.reject(decision.error);
        return false;
      case 'queue':
        if (isAcquire(pending)) {
          this.#parts.waiting.add(entry, pending);
          this.#parts.sweeper.watch(entry);
          this.enlist(entry);
        }
        return false;
      case 'await':
        this.#awaitElapse(entry, pending);
        return false;
      case 'change':
        return this.#stage(entry, pending, decision, batch);
    }
  }

  /** Whether somebody waits for an answer that another server may know better. */
  #isUncertain({ caller, caughtUp, command }: Pending): boolean {
    const isOwn = caller === nobody && ofServerAlone.has(command.kind);
    return this.#parts.sessions.own !== '' && caughtUp !== true && !isOwn;
  }

  #stage(entry: Entry, pending: Pending, decided: ChangeDecision, batch: Staged[]): boolean {
    const { table, limits, waiting } = this.#parts;
    const { namespace } = pending.command;
    const adds = !isVisible(entry.record) && isVisible(decided.change.record) && decided.grantedTo === undefined;
    if (adds && table.countIn(namespace) >= limits.leasesPerNamespaceMax) {
      pending.reject(limitExceeded(`leases in namespace ${namespace}`, limits.leasesPerNamespaceMax));
      return false;
    }
    const heir = decided.grantedTo && waiting.granting(entry, decided.grantedTo);
    const decision = this.#withWaiting(entry, decided);
    entry.inFlight = decision;
    batch.push({ entry, pending, decision, heir });
    return true;
  }

  /** Every change says who waits here as it is, so that it seldom takes one of its own. */
  #withWaiting(entry: Entry, decision: ChangeDecision): ChangeDecision {
    const { record, events } = decision.change;
    const next = record && withWaiting(record, entry, this.moment());
    if (next === undefined || next === record) return decision;
    const told = events.map((event) => (event.lease === record ? { ...event, lease: next } : event));
    return { ...decision, change: { ...decision.change, record: next, events: told } };
  }

  /** A command waits until what time has made due is committed; not on a full store, where nobody knows when that will be. */
  #awaitElapse(entry: Entry, pending: Pending): void {
    if (entry.retryAtMs > this.#parts.clock.monotonicMs()) {
      pending.reject(storeFull());
      return;
    }
    this.#blocked.add(entry, pending);
    entry.whenSettled(() => {
      this.#unblock(entry);
    });
    this.#parts.sweeper.watch(entry);
  }

  #unblock(entry: Entry): void {
    if (this.#blocked.settle(entry)) {
      this.#schedule();
    }
  }

  async #commit(batch: readonly Staged[], startMs: number): Promise<void> {
    this.#committing = true;
    const decidedMs = this.#parts.clock.monotonicMs() - startMs;
    let committed: readonly CommittedChange[];
    try {
      committed = await this.#parts.store.commit(batch.map(({ decision }) => decision.change));
    } catch (error) {
      this.#committing = false;
      this.#outcome.failed(batch, error);
      this.#foreign.takeOver();
      this.#next();
      return;
    }
    this.#committing = false;
    if (this.#abandoned) {
      this.#outcome.failed(batch, new Error('The store was given up while a commit was under way'));
      return;
    }
    this.#outcome.publish(batch.slice(0, committed.length), committed, decidedMs);
    this.#overtaken(batch.slice(committed.length));
    this.#foreign.takeOver();
    this.#next();
  }

  /** Another server was faster: what it has done is taken over, and these are decided again. */
  #overtaken(batch: readonly Staged[]): void {
    if (batch.length === 0) return;
    const again: Pending[] = [];
    for (const { entry, pending, heir } of batch) {
      entry.inFlight = undefined;
      if (heir !== undefined) {
        this.#parts.waiting.notGranted(entry, heir);
      }
      if (pending.command.kind === 'elapse') {
        this.#parts.sweeper.done();
      } else {
        again.push(pending);
      }
    }
    this.#queue.putBack(again);
    this.#foreign.takeOver();
    batch.forEach(({ entry }) => {
      this.goOn(entry);
    });
  }

  /** Something about a lease has changed, and nothing is in flight: what waited for that goes on, and the sweeper watches it again. */
  goOn(entry: Entry): void {
    this.#unblock(entry);
    entry.settle();
    this.#parts.sweeper.watch(entry);
    this.enlist(entry);
    this.#parts.table.forgetIfEmpty(entry);
  }
}

export interface CommitQueueParts extends Omit<CommitOutcomeParts, 'add' | 'goOn'> {
  readonly store: Store;
  readonly limits: Limits;
  readonly batchMax: number;
  readonly sessions: ServerSessions;
  newUid(): string;
  /** See `LeaseCoordinator.catchUp`. */
  catchUp(): Promise<void>;
}

/** Commands of the server itself, whose answers nobody waits for. */
const ofServerAlone: ReadonlySet<Command['kind']> = new Set(['elapse', 'checkpoint', 'abandon', 'enlist']);

function isAcquire(pending: Pending): pending is Pending & { readonly command: AcquireCommand } {
  return pending.command.kind === 'acquire';
}
