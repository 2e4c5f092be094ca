import { type Clock, type Instant, instantOf } from '../clock.js';
import {
  InvalidError,
  invalidOption,
  isOver,
  LeaseExpiredError,
  LeaseholdError,
  LeaseLostError,
  LeaseSuspectError,
} from '../errors.js';
import type { Beaten } from '../transport/heartbeat-connection.js';
import type { Heartbeat, HeartbeatMux } from '../transport/heartbeat-mux.js';
import type { HeartbeatLoss, RenewRequest } from '../transport/transport.js';
import type { CallOptions, Lease } from '../types.js';
import { afterRenewal, type Belief, isSuspect, remainingMs } from './deadline.js';

/**
 * `held`: nobody else can have the lease. `suspect`: the machine may have been stopped unnoticed, and a renewal is on its way to settle
 * it; or the lease is being transferred. `lost`: over for good, for whatever reason; release included.
 */
export type HeldStatus = 'held' | 'suspect' | 'lost';

/** What a held lease needs of its client. */
export interface LeaseKeeper {
  readonly clock: Clock;
  readonly heartbeats: HeartbeatMux;
  /** Ends the tenure on the server, if it still is this one. */
  release(lease: RenewRequest, transferTo: string, options: CallOptions): Promise<void>;
  /** Merges annotations onto the record, while this tenure lives. */
  annotate(lease: RenewRequest, annotations: Readonly<Record<string, string | undefined>>, options: CallOptions): Promise<Lease>;
  /** The lease is over here. `onServer`: whether the server may still count the tenure as living. */
  ended(lease: HeldLease, onServer: boolean): void;
}

/** How a tenure begins. */
export interface TenureStart {
  readonly lease: Lease;
  /** The grant, when it can be believed at once; `undefined` when it came after waiting, and so counts from nothing. */
  readonly belief: Belief | undefined;
  readonly beatIntervalMs: number;
  /** Stop believing this long after the send of the last acknowledged beat; Infinity: only when the lease itself is over. */
  readonly renewDeadlineMs: number;
}

/**
 * A lease that this process holds. It keeps itself alive until it is released or lost, and knows by its own clocks when it must not
 * be believed in any more: always before the server can give it to somebody else.
 *
 * Call `assertHeld()` right before each side effect, and send `fencingToken` along with it to whatever can check it: a process that
 * is paused between the two is protected by the token alone.
 */
export class HeldLease {
  /** Namespace of the lease. */
  readonly namespace: string;
  /** Name of the lease. */
  readonly name: string;
  /** Who holds it. */
  readonly holder: string;
  /** The number that fences this tenure. It never changes. */
  readonly fencingToken: bigint;
  /** The record as it was granted. */
  readonly lease: Lease;
  readonly #keeper: LeaseKeeper;
  readonly #renewDeadlineMs: number;
  readonly #heartbeat: Heartbeat;
  readonly #controller = new AbortController();
  readonly #suspectListeners = new Set<() => void>();
  readonly #identity: RenewRequest;
  #belief: Belief | undefined;
  /** Why the lease is over, once it is. */
  #lost: LeaseholdError | undefined;
  #wasSuspect = false;
  #transferring = false;
  /** Whether the server is known to have ended the tenure. */
  #endedOnServer = false;
  readonly #believed: Promise<void>;
  #confirm: () => void = () => undefined;
  #cancelDeadline: (() => void) | undefined;
  #releasing: Promise<void> | undefined;

  /** @internal Leases come from `Client.acquire`, `withLease` and `elect`. */
  constructor(keeper: LeaseKeeper, start: TenureStart) {
    const { namespace, name, holder, fencingToken } = start.lease;
    this.namespace = namespace;
    this.name = name;
    this.holder = holder;
    this.fencingToken = fencingToken;
    this.lease = start.lease;
    this.#keeper = keeper;
    this.#renewDeadlineMs = start.renewDeadlineMs;
    this.#identity = { namespace, name, holder, fencingToken };
    this.#belief = start.belief;
    this.#believed = new Promise((resolve) => {
      this.#confirm = resolve;
    });
    if (this.#belief !== undefined) this.#confirm();
    this.#armDeadline();
    this.#heartbeat = keeper.heartbeats.add(this.#beaten(start.beatIntervalMs));
  }

  /** Aborts the moment the lease is or may be lost, is announced to be revoked, or is released; its reason is a `LeaseholdError`. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** What the clocks say now. */
  get status(): HeldStatus {
    const now = this.#look();
    if (this.#lost !== undefined || this.#belief === undefined) return 'lost';
    return this.#transferring || isSuspect(this.#belief, now) ? 'suspect' : 'held';
  }

  /** How much longer the lease may be believed in without another renewal, in milliseconds; 0 once it is lost. */
  get remainingMs(): number {
    const now = this.#look();
    if (this.#lost !== undefined || this.#belief === undefined) return 0;
    return Math.max(remainingMs(this.#belief, now, this.#renewDeadlineMs), 0);
  }

  /**
   * How long the server gives the lease to nobody else, in milliseconds, whatever has happened here: the time that is left for
   * stopping once the signal has aborted. 0 when somebody else may have it.
   */
  get stopWithinMs(): number {
    if (this.#belief === undefined || this.#endedOnServer) return 0;
    return Math.max(remainingMs(this.#belief, instantOf(this.#keeper.clock), Infinity), 0);
  }

  /**
   * Returns if the lease is held, by a look at the clocks now, not at a timer: right also when the process was stopped until this moment.
   *
   * @throws {LeaseLostError | LeaseExpiredError} it is lost.
   * @throws {LeaseSuspectError} it may be: wait for the next renewal, or for the end of a transfer.
   */
  assertHeld(): void {
    const { status } = this;
    if (this.#lost !== undefined) throw this.#lost;
    if (status === 'held') return;
    if (this.#transferring) throw new LeaseSuspectError(this.#error('TRANSFERRING', 'is being handed over', true));
    throw new LeaseSuspectError(this.#error('LEASE_SUSPECT', 'may have been lost while the clocks stood still', true));
  }

  /** Calls `listener` whenever the lease becomes suspect. Returns what takes it off again. */
  onSuspect(listener: () => void): () => void {
    this.#suspectListeners.add(listener);
    return () => {
      this.#suspectListeners.delete(listener);
    };
  }

  /**
   * Gives the lease back. The signal aborts first, so stop the work before, or in answer to it. Repeating it is harmless, and so is
   * releasing a lease that is lost.
   *
   * @throws {UnavailableError} no server could be told in time; the lease then runs out by itself.
   */
  release(options: CallOptions = {}): Promise<void> {
    this.#releasing ??= this.#release(options).catch((error: unknown) => {
      this.#releasing = undefined;
      throw error;
    });
    return this.#releasing;
  }

  /**
   * Hands the lease to a holder that waits for it. Stop the work before: from the call on `assertHeld` refuses.
   *
   * @param to holder name of a waiter.
   * @throws {RefusedError} reason `NOT_WAITING`: nobody of that name waits; the lease stays held.
   * @throws {LeaseLostError | LeaseExpiredError} it is lost.
   * @throws {UnavailableError} no server answered in time; the lease is given up, whether it was handed over or not.
   */
  async transfer(to: string, options: CallOptions = {}): Promise<void> {
    if (to === '') throw invalidOption('to', 'must name a waiter', JSON.stringify(to));
    this.assertHeld();
    options.signal?.throwIfAborted();
    this.#transferring = true;
    try {
      await this.#keeper.release(this.#identity, to, options);
      this.#endedOnServer = true;
    } catch (error) {
      if (didNothing(error)) {
        this.#transferring = false;
        throw error;
      }
      this.#endedOnServer = isOver(error);
      this.#lose(isOver(error) ? error : new LeaseLostError(this.#error('TRANSFERRED', 'may have been handed over')));
      throw error;
    }
    this.#lose(new LeaseLostError(this.#error('TRANSFERRED', `was handed over to ${to}`)));
  }

  /**
   * Merges annotations onto the record, for this tenure only; `undefined` removes one.
   *
   * @returns the record with them.
   * @throws {LeaseLostError | LeaseExpiredError} the tenure has ended.
   */
  setAnnotations(annotations: Readonly<Record<string, string | undefined>>, options: CallOptions = {}): Promise<Lease> {
    return this.#keeper.annotate(this.#identity, annotations, options);
  }

  /** Releases the lease. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.release();
  }

  /** @internal How long at most the server counts the tenure as living after the last renewal, in milliseconds. */
  get durationMs(): number {
    return Math.max(this.lease.durationMs, this.#belief?.durationMs ?? 0);
  }

  /** @internal How much longer the lease is believed in without another renewal, in milliseconds; Infinity before the first one. */
  believedForMs(now: Instant): number {
    return this.#belief === undefined ? Infinity : remainingMs(this.#belief, now, this.#renewDeadlineMs);
  }

  /** @internal Stops believing and beating without telling the server: the lease then runs out by itself. */
  abandon(): void {
    this.#releasing ??= Promise.resolve();
    this.#lose(new LeaseLostError(this.#error('ABANDONED', 'is kept alive no more')));
  }

  /** @internal Aborts the signal while the lease stays held, so that the work can stop under its protection. */
  stopWork(reason: unknown): void {
    this.#controller.abort(reason);
  }

  /** @internal The record was seen: under a later tenure this one is over, whatever the clocks say. */
  superseded({ holder, fencingToken }: Lease): void {
    if (fencingToken <= this.fencingToken) return;
    this.#endedOnServer = true;
    const what = this.#error('LEASE_LOST', `was granted to ${JSON.stringify(holder)} since (token ${fencingToken})`);
    this.#lose(new LeaseLostError({ ...what, data: { ...what.data, holder, fencingToken } }));
  }

  /** @internal Resolves once the lease is believed in, or lost. */
  believed(): Promise<void> {
    return this.#believed;
  }

  async #release(options: CallOptions): Promise<void> {
    this.#lose(new LeaseLostError(this.#error('RELEASED', 'was released')));
    if (this.#endedOnServer) return;
    await this.#keeper.release(this.#identity, '', options);
    this.#endedOnServer = true;
  }

  #beaten(intervalMs: number): Beaten {
    return {
      identity: this.#identity,
      intervalMs,
      beforeBeat: (now) => {
        this.#look(now);
      },
      onAcknowledged: (sentAt, durationMs, now) => {
        this.#takeRenewal({ sentAt, durationMs }, now);
      },
      onLoss: (loss) => {
        this.#takeLoss(loss);
      },
      onRefused: (error) => {
        this.#endedOnServer = isOver(error) && error.reason !== 'LEASE_REVOKED';
        this.#lose(error);
      },
    };
  }

  /** Looks at the clocks, and does what has become due. Leases that beat together share one reading: boot time is slow to read. */
  #look(now: Instant = instantOf(this.#keeper.clock)): Instant {
    if (this.#lost !== undefined || this.#belief === undefined) return now;
    if (remainingMs(this.#belief, now, this.#renewDeadlineMs) <= 0) {
      this.#lose(new LeaseExpiredError(this.#error('LEASE_EXPIRED', 'was not renewed in time', true)));
      return now;
    }
    const suspect = isSuspect(this.#belief, now);
    if (suspect && !this.#wasSuspect) this.#becomeSuspect();
    this.#wasSuspect = suspect;
    return now;
  }

  #becomeSuspect(): void {
    this.#wasSuspect = true;
    this.#heartbeat.beatNow();
    // A listener that throws must not keep the other leases of this beat from beating.
    for (const listener of this.#suspectListeners) queueMicrotask(listener);
  }

  #takeRenewal(renewal: Belief, now: Instant): void {
    this.#look(now);
    if (this.#lost !== undefined) return;
    const belief = afterRenewal(this.#belief, renewal, now, this.#renewDeadlineMs);
    if (belief === undefined) return;
    this.#belief = belief;
    if (this.#cancelDeadline === undefined) this.#armDeadline(now);
    this.#look(now);
    this.#confirm();
  }

  #takeLoss({ reason, holder, fencingToken, graceMs }: HeartbeatLoss): void {
    const announced = graceMs !== undefined && graceMs > 0;
    const text = announced ? `is being revoked: finish within ${Math.round(graceMs)} ms` : `was lost: ${reason}`;
    const data = { holder, fencingToken };
    const error =
      reason === 'EXPIRED'
        ? new LeaseExpiredError({ ...this.#error('LEASE_EXPIRED', text, true), data })
        : new LeaseLostError({ ...this.#error(reason === 'REVOKED' ? 'LEASE_REVOKED' : 'LEASE_LOST', text), data });
    if (announced) {
      // The lease is still held, and renewed, until the grace ends; only the work is to stop.
      this.#controller.abort(error);
      return;
    }
    // A revoke and a deletion wait for the holder to release, or for its deadline.
    this.#endedOnServer = reason === 'EXPIRED' || reason === 'RELEASED';
    this.#lose(error);
  }

  #lose(error: LeaseholdError): void {
    if (this.#lost !== undefined) return;
    this.#lost = error;
    this.#cancelDeadline?.();
    this.#heartbeat.stop();
    this.#controller.abort(error);
    this.#confirm();
    this.#keeper.ended(this, !this.#endedOnServer);
  }

  #armDeadline(now: Instant = instantOf(this.#keeper.clock)): void {
    if (this.#belief === undefined) return;
    const leftMs = remainingMs(this.#belief, now, this.#renewDeadlineMs);
    this.#cancelDeadline = this.#keeper.clock.after(Math.max(leftMs, 0), () => {
      this.#look();
      if (this.#lost === undefined) this.#armDeadline();
    });
  }

  #error(reason: string, text: string, retryable = false): ConstructorParameters<typeof LeaseholdError>[0] {
    const { namespace, name, holder, fencingToken } = this;
    const message = `Lease ${namespace}/${name} (token ${fencingToken}) ${text}`;
    return { code: 'FAILED_PRECONDITION', reason, message, retryable, data: { namespace, name, holder, fencingToken } };
  }
}

function didNothing(error: unknown): boolean {
  return error instanceof InvalidError || (error instanceof LeaseholdError && error.reason === 'NOT_WAITING');
}
