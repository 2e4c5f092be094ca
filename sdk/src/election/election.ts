import { randomUUID } from 'node:crypto';
import type { Clock } from '../clock.js';
import { isOver, LeaseholdError } from '../errors.js';
import type { HeldLease } from '../lease/held-lease.js';
import { isObedience, overrun } from '../lease/supervise.js';
import type { AcquirePlan, Tenures } from '../lease/tenures.js';
import { backoffMs } from '../retry.js';
import type { AcquireRequest } from '../transport/transport.js';
import {
  advance,
  begin,
  type ElectionEffect,
  type ElectionEvent,
  type ElectionRules,
  type ElectionState,
  type Failure,
  type Leave,
  type Step,
} from './machine.js';
import type { ElectionTiming } from './timing.js';

/** A time of leading, from a win to a loss. */
export interface Term {
  /** The number that fences this term: send it along with every write. */
  readonly fencingToken: bigint;
  /** Aborts when the term is over or about to be: stop then, and return. */
  readonly signal: AbortSignal;
  /** The lease behind it. */
  readonly lease: HeldLease;
  /** Returns while this process leads, by a look at the clocks now; throws otherwise. Call it right before each side effect. */
  assertHeld(): void;
}

/** What an election runs on. */
export interface ElectionHost {
  readonly clock: Clock;
  readonly tenures: Tenures;
  /** How long a call may take, in milliseconds. */
  readonly timeoutMs: number;
}

/** What is campaigned for, and how. */
export interface ElectionPlan extends ElectionRules {
  readonly request: Omit<AcquireRequest, 'acquireId' | 'waitMs' | 'durationMs'>;
  readonly timing: ElectionTiming;
}

/** Where an election reports. */
export interface ElectionHooks {
  /** The work of a term. */
  work(term: Term): Promise<void>;
  /** A term has ended and its lease was left: once for each `work`. `reason`: why, in the words of `LeaseholdError.reason`. */
  stopped(reason: string): Promise<void>;
  /** A failure that the campaign survives. */
  failed(error: Error): void;
}

/** Who waits for the lease to be left. */
interface Leaver {
  readonly transferTo: string | undefined;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/** How long a standby stays in the server's queue before it asks anew. */
const campaignWaitMs = 3_600_000;

/** One election: makes the calls that its state machine asks for. */
export class Election {
  readonly #host: ElectionHost;
  readonly #plan: ElectionPlan;
  readonly #hooks: ElectionHooks;
  #state: ElectionState | undefined;
  #lease: HeldLease | undefined;
  /** When the work should have stopped and had not, on the monotonic clock. */
  #overdueSinceMs: number | undefined;
  /** That it had not, for whoever waits for the election to end. */
  #overrun: LeaseholdError | undefined;
  /** One id until the outcome is known, so that a win whose answer was lost is not in the way of the next attempt. */
  #acquireId: string = randomUUID();
  #stop: AbortSignal | undefined;
  /** Undoes what waits in the current state: a campaign, a pause, or the time limit of the work. */
  #cancel: () => void = () => undefined;
  readonly #leaving: Leaver[] = [];
  #settle: (failure: Failure | undefined) => void = () => undefined;

  constructor(host: ElectionHost, plan: ElectionPlan, hooks: ElectionHooks) {
    this.#host = host;
    this.#plan = plan;
    this.#hooks = hooks;
  }

  /** The lease of the current term, from the start of its work until it has been left. */
  get lease(): HeldLease | undefined {
    return this.#lease;
  }

  /** For how long work has gone on past the end of its lease, in milliseconds; `undefined` while it has not. */
  get overdueMs(): number | undefined {
    return this.#overdueSinceMs === undefined ? undefined : this.#host.clock.monotonicMs() - this.#overdueSinceMs;
  }

  /** Runs until the election has ended. Once. */
  async run(stop: AbortSignal): Promise<void> {
    if (stop.aborted) return;
    this.#stop = stop;
    const onStop = (): void => this.#take({ type: 'stop' });
    stop.addEventListener('abort', onStop, { once: true });
    try {
      await new Promise<void>((resolve, reject) => {
        this.#settle = (failure) => {
          if (failure === undefined) resolve();
          // The caller hears what the work threw, whatever it is.
          // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors
          else reject(failure.error);
        };
        this.#enter(begin());
      });
    } finally {
      stop.removeEventListener('abort', onStop);
      this.#left();
    }
  }

  /**
   * Gives the leadership up, and campaigns again after a pause. Resolves once the lease was left; at once when there is none.
   *
   * @param transferTo holder name of the waiter who is to have it.
   */
  resign(transferTo?: string): Promise<void> {
    if (this.#lease === undefined) return Promise.resolve();
    return new Promise((resolve, reject) => {
      this.#leaving.push({ transferTo, resolve, reject });
      this.#take({ type: 'resign', transferTo });
    });
  }

  /** Ends the election in order, and makes it reject with the error. */
  fail(error: unknown): void {
    this.#take({ type: 'fail', failure: { error } });
  }

  #take(event: ElectionEvent): void {
    if (this.#state !== undefined) this.#enter(advance(this.#state, event, this.#plan));
  }

  #enter([state, effects]: Step): void {
    this.#state = state;
    for (const effect of effects) this.#perform(effect);
  }

  #perform(effect: ElectionEffect): void {
    switch (effect.do) {
      case 'campaign':
        void this.#campaign();
        return;
      case 'pause':
        this.#pause(effect.failures);
        return;
      case 'cancelCampaign':
      case 'cancelPause':
        this.#cancel();
        return;
      case 'startWork':
        this.#startWork();
        return;
      case 'abortTerm':
        this.#lease?.stopWork(this.#stop?.aborted === true ? this.#stop.reason : resigned());
        return;
      case 'limitWork':
        this.#limitWork();
        return;
      case 'reportOverrun':
        this.#overran();
        return;
      case 'endTerm':
        void this.#endTerm(effect.leave, effect.led);
        return;
      case 'settle':
        this.#settle(effect.failure ?? (effect.overran ? { error: this.#overrun } : undefined));
    }
  }

  #overran(): void {
    if (this.#lease === undefined) return;
    this.#overdueSinceMs = this.#host.clock.monotonicMs();
    this.#overrun = overrun(this.#lease);
    this.#report(this.#overrun);
  }

  #report(error: Error): void {
    try {
      this.#hooks.failed(error);
    } catch (thrown) {
      this.fail(thrown);
    }
  }

  /** Waits in the queue until the lease is won. */
  async #campaign(): Promise<void> {
    const cancelled = new AbortController();
    this.#cancel = () => cancelled.abort(this.#stop?.reason);
    const { tenures, timeoutMs } = this.#host;
    const { request, timing } = this.#plan;
    const plan: AcquirePlan = {
      request: { ...request, acquireId: this.#acquireId, waitMs: campaignWaitMs, durationMs: timing.leaseDurationMs },
      beatIntervalMs: timing.retryPeriodMs,
      renewDeadlineMs: timing.renewDeadlineMs,
      repeats: true,
      onFailure: (error) => this.#report(error),
    };
    let event: ElectionEvent;
    try {
      const { granted } = await tenures.acquire(plan, { timeoutMs, signal: cancelled.signal });
      this.#lease = granted;
      if (granted !== undefined) this.#acquireId = randomUUID();
      event = granted === undefined ? { type: 'notWon', waited: true } : { type: 'won' };
    } catch (error) {
      event = cancelled.signal.aborted ? { type: 'notWon' } : this.#campaignFailed(error);
    }
    this.#take(event);
  }

  #campaignFailed(error: unknown): ElectionEvent {
    if (!isSurvivable(error)) return { type: 'notWon', failure: { error } };
    if (isOver(error)) this.#acquireId = randomUUID();
    this.#report(error);
    return { type: 'notWon' };
  }

  #pause(failures: number): void {
    const { clock } = this.#host;
    const delayMs = failures === 0 ? this.#plan.timing.retryPeriodMs : backoffMs(clock, failures);
    this.#cancel = clock.after(delayMs, () => this.#take({ type: 'pauseOver' }));
  }

  #startWork(): void {
    const lease = this.#lease;
    if (lease === undefined) return;
    this.#overdueSinceMs = undefined;
    const onOver = (): void => this.#take({ type: 'termOver' });
    void endOf(this.#hooks, termOf(lease)).then((failure) => {
      this.#overdueSinceMs = undefined;
      const obeyed = failure !== undefined && isObedience(failure.error, lease.signal);
      this.#take(failure === undefined || obeyed ? { type: 'workEnded' } : { type: 'workEnded', failure });
    });
    if (lease.signal.aborted) onOver();
    else lease.signal.addEventListener('abort', onOver, { once: true });
  }

  #limitWork(): void {
    const withinMs = this.#lease?.stopWithinMs ?? 0;
    this.#cancel = this.#host.clock.after(withinMs, () => this.#take({ type: 'timeUp' }));
  }

  /** Leaves the lease, and reports it. Where no server can be told the lease runs out; the next campaign tries again before it asks. */
  async #endTerm(leave: Leave, led: boolean): Promise<void> {
    this.#cancel();
    const lease = this.#lease;
    if (lease === undefined) return;
    const over: unknown = lease.signal.reason;
    let error: Error | undefined;
    if (leave.how === 'transfer') error = await transfer(lease, leave.to);
    if (leave.how === 'abandon') lease.abandon();
    else await lease.release().catch(() => undefined);
    this.#lease = undefined;
    let failure: Failure | undefined;
    try {
      if (led) await this.#hooks.stopped(over instanceof LeaseholdError ? over.reason : 'STOPPED');
    } catch (thrown) {
      failure = { error: thrown };
    }
    this.#left(leave, error);
    this.#take(failure === undefined ? { type: 'termEnded' } : { type: 'termEnded', failure });
  }

  #left(leave?: Leave, error?: Error): void {
    for (const { transferTo, resolve, reject } of this.#leaving.splice(0)) {
      const to = leave?.how === 'transfer' ? leave.to : undefined;
      if (transferTo === undefined) resolve();
      else if (transferTo !== to) reject(superseded(transferTo));
      else if (error !== undefined) reject(error);
      else resolve();
    }
  }
}

function termOf(lease: HeldLease): Term {
  const { fencingToken, signal } = lease;
  return { fencingToken, signal, lease, assertHeld: () => lease.assertHeld() };
}

/** The end of the work: what it threw, if it did. */
async function endOf(hooks: ElectionHooks, term: Term): Promise<Failure | undefined> {
  try {
    await hooks.work(term);
    return undefined;
  } catch (error) {
    return { error };
  }
}

/** Hands the lease over; if that cannot be, says why. */
async function transfer(lease: HeldLease, to: string): Promise<Error | undefined> {
  try {
    await lease.transfer(to);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error : new Error('Transfer failed', { cause: error });
  }
}

/** The term has ended otherwise: the first wish counts. */
function superseded(transferTo: string): LeaseholdError {
  const message = `The leadership was not handed to ${JSON.stringify(transferTo)}: it was given up otherwise at the same time`;
  return new LeaseholdError({ code: 'ABORTED', reason: 'SUPERSEDED', message });
}

function resigned(): LeaseholdError {
  return new LeaseholdError({ code: 'ABORTED', reason: 'RESIGNED', message: 'The leadership was given up' });
}

/** Whether to go on campaigning after a failure. */
export function isSurvivable(error: unknown): error is LeaseholdError {
  return error instanceof LeaseholdError && (error.retryable || isOver(error) || error.code === 'RESOURCE_EXHAUSTED');
}
