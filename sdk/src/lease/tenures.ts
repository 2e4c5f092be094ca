import { type Clock, type Instant, instantOf, within } from '../clock.js';
import { isOver, LeaseLostError, timedOut, UnavailableError } from '../errors.js';
import { attemptShare, repeatWhileUnavailable } from '../retry.js';
import { HeartbeatMux } from '../transport/heartbeat-mux.js';
import type { AcquireAnswer, AcquireRequest, Call, RenewRequest, Transport } from '../transport/transport.js';
import type { Busy, CallOptions, Lease } from '../types.js';
import { checkBeatInterval, splitEntries } from '../verbs.js';
import { type Belief, remainingMs } from './deadline.js';
import { HeldLease, type LeaseKeeper } from './held-lease.js';
import { TenureBook } from './tenure-book.js';

/** What an Acquire came to: the lease, or who has it. */
export type AcquireOutcome =
  { readonly granted: HeldLease; readonly busy?: undefined } | { readonly busy: Busy; readonly granted?: undefined };

/** How to hold a lease. */
interface HoldPlan {
  readonly beatIntervalMs: number;
  /** See `TenureStart`. */
  readonly renewDeadlineMs: number;
}

/** What to acquire, and how to hold it. */
export interface AcquirePlan extends HoldPlan {
  readonly request: AcquireRequest;
  /** Hears of each attempt that no server answered. */
  readonly onFailure?: ((error: Error) => void) | undefined;
  /** Whether the caller will repeat a request of unknown outcome under the same id; otherwise it is taken back. */
  readonly repeats: boolean;
}

/** Who else has to know what is held. */
export interface TenureObserver {
  begun(lease: HeldLease): void;
  ended(lease: HeldLease): void;
}

/** All tenures of a client: how they begin, and what must happen after they end. */
export class Tenures implements LeaseKeeper {
  readonly clock: Clock;
  readonly heartbeats: HeartbeatMux;
  readonly #transport: Transport;
  readonly #timeoutMs: number;
  readonly #observer: TenureObserver | undefined;
  readonly #book = new TenureBook();
  readonly #held = new Map<string, HeldLease>();
  readonly #tidying = new Set<Promise<void>>();

  constructor(transport: Transport, clock: Clock, timeoutMs: number, observer?: TenureObserver) {
    this.#transport = transport;
    this.clock = clock;
    this.#timeoutMs = timeoutMs;
    this.#observer = observer;
    this.heartbeats = new HeartbeatMux(transport, clock);
  }

  /** Acquires a lease and starts to hold it. The call's time counts beside the wait. */
  async acquire(plan: AcquirePlan, call: Call): Promise<AcquireOutcome> {
    const { request } = plan;
    this.#book.open(request);
    try {
      // 1. A tenure that was given up here may still live on the server: without its end the lease would be busy with ourselves.
      const leftover = this.#book.leftover(request, request.holder, this.clock.monotonicMs());
      if (leftover !== undefined) await this.release(leftover, '', call);
      // 2. Ask.
      if (request.waitMs > 0) this.heartbeats.open();
      const { answer, sentAt } = await this.#ask(plan, call);
      if (answer.kind === 'busy') return { busy: answer.busy };
      // 3. Hold.
      return { granted: await this.#hold(answer.lease, this.#beliefIn(answer.lease, sentAt, request.waitMs), plan, call) };
    } finally {
      this.#book.close(request);
    }
  }

  /** Goes on with a tenure that was begun elsewhere, once a renewal has shown that it lives. */
  async reattach(identity: RenewRequest, beatIntervalMs: number | undefined, call: Call): Promise<HeldLease> {
    this.#book.open(identity);
    try {
      const { renewed, sentAt } = await this.#repeat(call, async (attempt) => {
        const sentAt = instantOf(this.clock);
        return { renewed: await this.#transport.renew(identity, attempt), sentAt };
      });
      const { durationMs, remainingMs } = renewed;
      const { namespace, name } = identity;
      const record = await this.#repeat(call, (attempt) => this.#transport.get({ namespace, name, cached: false }, attempt));
      if (record.state !== 'HELD' || record.fencingToken !== identity.fencingToken) throw overMeanwhile('Reattach', identity);
      const lease = { ...record, ...identity, durationMs };
      const belief = { sentAt, durationMs: Math.min(durationMs, remainingMs) };
      const interval = checkBeatInterval(beatIntervalMs ?? durationMs / 3, durationMs);
      const held = await this.#hold(lease, belief, { beatIntervalMs: interval, renewDeadlineMs: Infinity }, call);
      return held;
    } finally {
      this.#book.close(identity);
    }
  }

  async release(lease: RenewRequest, transferTo: string, options: CallOptions): Promise<void> {
    const { namespace, name, fencingToken } = lease;
    try {
      await this.#repeat(this.#call(options), (call) =>
        this.#transport.release({ namespace, name, fencingToken, transferTo }, call),
      );
    } catch (error) {
      if (transferTo !== '' || !isOver(error)) throw error;
    }
    this.#book.settled(lease);
  }

  async annotate(
    { namespace, name, fencingToken }: RenewRequest,
    annotations: Readonly<Record<string, string | undefined>>,
    options: CallOptions,
  ): Promise<Lease> {
    const { set, remove } = splitEntries(annotations);
    const nothing = { labels: {}, removeLabels: [], resourceVersion: 0n };
    const request = { namespace, name, fencingToken, ...nothing, annotations: set, removeAnnotations: remove };
    return this.#repeat(this.#call(options), (call) => this.#transport.update(request, call));
  }

  ended(lease: HeldLease, onServer: boolean): void {
    this.#held.delete(tenureKey(lease));
    this.#observer?.ended(lease);
    this.#book.over(lease, lease.fencingToken);
    const nowMs = this.clock.monotonicMs();
    if (onServer) this.#book.leave(identityOf(lease), nowMs + lease.durationMs, nowMs);
    this.#book.close(lease);
  }

  /** Stops believing in every tenure, and leaves them to run out by themselves. */
  abandon(): void {
    for (const lease of [...this.#held.values()]) lease.abandon();
  }

  /** Releases every tenure, and ends what runs in the background. */
  async close(): Promise<void> {
    await Promise.allSettled([...this.#held.values()].map((lease) => lease.release()));
    await Promise.allSettled(this.#tidying);
    this.heartbeats.close();
  }

  async #ask({ request, repeats, onFailure }: AcquirePlan, call: Call): Promise<{ answer: AcquireAnswer; sentAt: Instant }> {
    const waitUntilMs = this.clock.monotonicMs() + request.waitMs;
    const whole = { timeoutMs: call.timeoutMs + request.waitMs, signal: call.signal };
    const attempt = async (left: Call): Promise<{ answer: AcquireAnswer; sentAt: Instant }> => {
      const waitMs = Math.max(waitUntilMs - this.clock.monotonicMs(), 0);
      const sentAt = instantOf(this.clock);
      return { answer: await this.#transport.acquire({ ...request, waitMs }, left), sentAt };
    };
    try {
      // A wait that was cut short would lose its place in the queue.
      const waits = request.waitMs > 0;
      return await (waits ? repeatWhileUnavailable(this.clock, whole, attempt, { onFailure }) : this.#repeat(whole, attempt));
    } catch (error) {
      const aborted = call.signal?.aborted === true;
      // Without an id the tenure may have been begun by another process of that name, and be alive there.
      const isOurs = request.acquireId !== '';
      if (isOurs && (aborted || (error instanceof UnavailableError && !repeats))) this.#inBackground(this.#takeBack(request));
      throw error;
    }
  }

  /**
   * What can be believed of a grant: nothing after waiting, for nobody here knows when it was made; otherwise it counts from before
   * the request was sent.
   */
  #beliefIn(lease: Lease, sentAt: Instant, waitMs: number): Belief | undefined {
    if (waitMs > 0) return undefined;
    const belief = { sentAt, durationMs: Math.min(lease.durationMs, lease.remainingMs ?? 0) };
    return remainingMs(belief, instantOf(this.clock), Infinity) > 0 ? belief : undefined;
  }

  async #hold(lease: Lease, belief: Belief | undefined, plan: HoldPlan, call: Call): Promise<HeldLease> {
    const { namespace, name, fencingToken } = lease;
    if (this.#book.isOver(lease, fencingToken)) {
      // It was given up, and the server does not know yet: what told it so is on its way, and would end the tenure under its holder.
      this.#inBackground(this.release(identityOf(lease), '', this.#call({})));
      throw overMeanwhile('Acquire', identityOf(lease));
    }
    const known = this.#find(lease);
    const held = known ?? this.#begin(lease, belief, plan);
    try {
      if (belief === undefined) {
        const onTimeout = (): Error => timedOut(`Acquire ${namespace}/${name}: first heartbeat`, call.timeoutMs);
        await within(this.clock, held.believed(), { timeoutMs: call.timeoutMs, signal: call.signal, onTimeout });
      }
      held.assertHeld();
      return held;
    } catch (error) {
      // Where another call holds the same tenure already, it is not this one's to give back.
      if (known === undefined) this.#inBackground(held.release());
      throw error;
    }
  }

  #begin(lease: Lease, belief: Belief | undefined, { beatIntervalMs, renewDeadlineMs }: HoldPlan): HeldLease {
    this.#book.open(lease);
    // What is held again is nothing to tidy up.
    this.#book.settled(identityOf(lease));
    const held = new HeldLease(this, { lease, belief, beatIntervalMs, renewDeadlineMs });
    this.#held.set(tenureKey(held), held);
    this.#observer?.begun(held);
    return held;
  }

  /** A repeated Acquire is granted again with the same token: that is one tenure, and one held lease. */
  #find(lease: Lease): HeldLease | undefined {
    return this.#held.get(tenureKey(lease));
  }

  /**
   * Ends the tenure that a request of unknown outcome may have begun. Acquiring again under its id tells: the server then answers with
   * that tenure, and nobody else's. Looking first keeps this from taking a lease that is free.
   */
  async #takeBack(request: AcquireRequest): Promise<void> {
    const { namespace, name, holder } = request;
    const call = this.#call({});
    const seen = await this.#repeat(call, (left) => this.#transport.get({ namespace, name, cached: false }, left));
    if (seen.state !== 'HELD' || seen.holder !== holder || this.#find(seen) !== undefined) return;
    const answer = await this.#transport.acquire({ ...request, waitMs: 0 }, call);
    if (answer.kind === 'granted') await this.release(identityOf(answer.lease), '', call);
  }

  #inBackground(task: Promise<void>): void {
    // Nobody waits for it: where it fails, the lease runs out by itself.
    const tidying = task
      .catch(() => undefined)
      .finally(() => {
        this.#tidying.delete(tidying);
      });
    this.#tidying.add(tidying);
  }

  #repeat<T>(call: Call, attempt: (call: Call) => Promise<T>): Promise<T> {
    return repeatWhileUnavailable(this.clock, call, attempt, { share: attemptShare(this.#transport) });
  }

  #call({ timeoutMs, signal }: CallOptions): Call {
    return { timeoutMs: timeoutMs ?? this.#timeoutMs, signal };
  }
}

function overMeanwhile(what: string, { namespace, name, holder, fencingToken }: RenewRequest): LeaseLostError {
  const message = `${what} ${namespace}/${name}: the tenure of token ${fencingToken} is over already`;
  const data = { namespace, name, holder, fencingToken };
  return new LeaseLostError({ code: 'FAILED_PRECONDITION', reason: 'LEASE_LOST', message, retryable: true, data });
}

function identityOf({ namespace, name, holder, fencingToken }: Lease | HeldLease): RenewRequest {
  return { namespace, name, holder, fencingToken };
}

function tenureKey({ namespace, name, fencingToken }: Lease | HeldLease): string {
  return `${namespace}/${name}/${fencingToken}`;
}
