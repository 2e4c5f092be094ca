import { randomUUID } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import { Election, type ElectionHost, type Term } from './election/election.js';
import { electionPlan, type ElectOptions } from './election/options.js';
import { ClientClosedError, RefusedError } from './errors.js';
import type { HeldLease } from './lease/held-lease.js';
import { overrun, supervise } from './lease/supervise.js';
import { type AcquireOutcome, Tenures } from './lease/tenures.js';
import { Watchdog } from './lease/watchdog.js';
import { type HeartbeatNodesOptions, NodeAgent } from './nodes/heartbeat.js';
import { type MonitorNodesOptions, monitorSettings, type MonitorSource, NodeMonitor } from './nodes/monitor.js';
import { type ClientOptions, type ClientSettings, settingsOf } from './options.js';
import { attemptShare, isDraining, repeatWhileUnavailable } from './retry.js';
import { underSignals } from './signals.js';
import type { Call, Deleted, LeaseName, Released, RenewResult, Revoked } from './transport/transport.js';
import type { CallOptions, Lease, LeaseCallOptions, LeasePage, Renewed, Validity } from './types.js';
import {
  type AcquireOptions,
  checkBeatInterval,
  checkInt64,
  checkMs,
  checkPositiveMs,
  checkPriority,
  type CreateOptions,
  type DeleteOptions,
  type GetOptions,
  type ListOptions,
  metadataOf,
  type ReattachOptions,
  type ReleaseOptions,
  type Renewal,
  type RenewOptions,
  type RevokeOptions,
  splitEntries,
  type TokenOptions,
  type UpdateOptions,
} from './verbs.js';
import { Informer, type InformerOptions, type InformerSource } from './watch/informer.js';
import { LeaderObserver, type LeaderSource, type ObserveLeaderOptions } from './watch/observe-leader.js';
import { LeaseWatch, type WatchOptions } from './watch/watch.js';

/**
 * Makes a client. It connects by itself when it is used; `await client.ready()` to know that a server can be reached.
 *
 * @throws {InvalidError} an option breaks a rule.
 */
export function createClient(options: ClientOptions = {}): Client {
  return new Client(settingsOf(options));
}

/**
 * A client of Leasehold servers.
 *
 * Every call rejects with a `LeaseholdError`, or with the reason of its signal, and settles within its `timeoutMs`; an Acquire that
 * waits within `waitMs` and another `timeoutMs`, for its first heartbeat. Reads, acquires, renewals and releases repeat themselves while no server answers; the other calls are
 * made again only where a server has refused them because it is shutting down, for a repeat could meet its own effect.
 *
 * Throughout: `InvalidError` for bad input, `RefusedError` for a limit, `UnavailableError` when no server answered in time,
 * `ClientClosedError` after `close`.
 */
export class Client {
  /** Identity of this client as a holder, where a call names none. */
  readonly holder: string;
  /** Namespace of calls that name none. */
  readonly namespace: string;
  readonly #settings: ClientSettings;
  readonly #tenures: Tenures;
  readonly #watchdog: Watchdog | undefined;
  readonly #closing = new AbortController();
  /** Acquires, `withLease` and `elect` under way. */
  readonly #scopes = new Set<Promise<unknown>>();
  #closed: Promise<void> | undefined;

  /** @internal Use `createClient`. */
  constructor(settings: ClientSettings) {
    this.#settings = settings;
    this.holder = settings.holder;
    this.namespace = settings.namespace;
    this.#watchdog = settings.watchdog === undefined ? undefined : new Watchdog(settings.watchdog, settings.clock);
    this.#tenures = new Tenures(settings.transport, settings.clock, settings.timeoutMs, this.#watchdog);
    // Every call under way listens to it; Node would warn of the eleventh.
    setMaxListeners(0, this.#closing.signal);
  }

  /** Resolves once a server can be reached. */
  ready(options: CallOptions = {}): Promise<void> {
    return this.#once(options, (call) => this.#settings.transport.ready(call));
  }

  /**
   * Claims a lease, waiting in the server's queue if asked to, and keeps it alive until it is released or lost.
   *
   * @returns the held lease, or who has it: that is an ordinary answer.
   * @throws {RefusedError} reason `REPLACED`: a newer Acquire of the same holder took over the place in the queue.
   * @throws {LeaseLostError | LeaseExpiredError} it was granted, and lost before it could be believed in: try again.
   */
  acquire(name: string, options: AcquireOptions = {}): Promise<AcquireOutcome> {
    return this.#scope(() => this.#acquire(name, options));
  }

  /**
   * Goes on with a tenure that this holder began before its process was restarted, by the fencing token that was kept. Only once the old
   * process has ended: both would believe in the lease. What this client itself has lost or released it does not take up again.
   *
   * @throws {LeaseLostError | LeaseExpiredError | LeaseNotFoundError} the tenure is over: acquire again.
   */
  reattach(name: string, options: ReattachOptions): Promise<HeldLease> {
    return this.#scope(() => {
      const { holder = this.holder, beatIntervalMs } = options;
      const call = this.#call(options);
      const identity = { ...this.#tenure(name, options), holder };
      return underSignals([call.signal, this.#closing.signal], (signal) =>
        this.#tenures.reattach(identity, beatIntervalMs, { ...call, signal }),
      );
    });
  }

  /**
   * Runs `work` while holding a lease, and releases it afterwards. The lease's signal aborts on loss, and on `close`.
   *
   * `options.signal` gives up the acquiring, not the work.
   *
   * @returns what the work returned.
   * @throws {RefusedError} reason `LEASE_BUSY`: somebody else has it.
   * @throws {LeaseLostError | LeaseExpiredError} it was lost before the work was done. This comes once the work has stopped or the
   *   server may give the lease to somebody else, whichever is first.
   */
  withLease<T>(name: string, options: AcquireOptions, work: (lease: HeldLease) => Promise<T>): Promise<T> {
    return this.#scope(async () => {
      const { granted: lease, busy } = await this.acquire(name, options);
      if (lease === undefined) {
        const { holder, fencingToken, remainingMs } = busy;
        const message = `Acquire ${name}: busy for ${Math.round(remainingMs)} ms, held by ${JSON.stringify(holder)}`;
        const data = { name, holder, fencingToken, remainingMs };
        throw new RefusedError({ code: 'FAILED_PRECONDITION', reason: 'LEASE_BUSY', message, data, retryable: true });
      }
      const end = await supervise(this.#settings.clock, lease, this.#closing.signal, () => work(lease));
      const lost = lease.status === 'lost';
      await lease.release().catch(() => undefined);
      if (end.kind === 'threw') throw end.error;
      if (lost) throw lease.signal.reason;
      if (end.kind === 'overran') throw overrun(lease);
      return end.value;
    });
  }

  /**
   * Campaigns for a lease and runs `work` while leading; campaigns again after a loss. Standbys wait in the server's queue.
   *
   * On every way out of a term its signal aborts first, then the work is awaited within the time that is left, then the lease is
   * released. The work is never run twice at once. What it throws after its signal has aborted counts as stopping if it is the
   * signal's reason, an `AbortError`, or a loss.
   *
   * @returns once the work has returned by itself, or `signal` was aborted and the work has stopped.
   * @throws {InvalidError} the timings do not fit together.
   * @throws what the work threw.
   * @throws {LeaseholdError} reason `WORK_OVERRAN`: the election was stopped, but the work did not stop within the time left.
   */
  elect(
    name: string,
    options: ElectOptions,
    work: (term: Term) => Promise<void>,
    { signal }: { readonly signal?: AbortSignal | undefined } = {},
  ): Promise<void> {
    return this.campaign(signal, (host, stop) => {
      const rules = { endsWithWork: true, releasesOnStop: true };
      const plan = electionPlan(this.#name(name, options), this.holder, options, rules);
      const hooks = { work, stopped: () => Promise.resolve(), failed: options.onError ?? (() => undefined) };
      return new Election(host, plan, hooks).run(stop);
    });
  }

  /** @internal Runs an election within the life of this client. */
  campaign(signal: AbortSignal | undefined, run: (host: ElectionHost, stop: AbortSignal) => Promise<void>): Promise<void> {
    const { clock, timeoutMs } = this.#settings;
    const host = { clock, tenures: this.#tenures, timeoutMs };
    return this.#scope(() => underSignals([signal, this.#closing.signal], (stop) => run(host, stop)));
  }

  /**
   * Renews a lease that something else holds or keeps, durably. A `HeldLease` needs no such call.
   *
   * @throws {LeaseNotFoundError | LeaseLostError | LeaseExpiredError}
   */
  async renew(name: string, options: RenewOptions): Promise<Renewed> {
    const request = { ...this.#tenure(name, options), holder: options.holder ?? this.holder };
    return this.#repeated(options, (call) => this.#settings.transport.renew(request, call));
  }

  /**
   * Renews many leases at once, durably: 1 to 1,000.
   *
   * @returns for each renewal, in the same order, its answer or the error that `renew` would have thrown.
   */
  async renewBatch(renewals: readonly Renewal[], options: CallOptions = {}): Promise<readonly RenewResult[]> {
    const requests = renewals.map(({ name, namespace, fencingToken, holder = this.holder }) => ({
      ...this.#tenure(name, { namespace, fencingToken }),
      holder,
    }));
    return this.#repeated(options, (call) => this.#settings.transport.renewBatch(requests, call));
  }

  /**
   * Ends a tenure by its token; the next waiter is granted at once. Repeating it is harmless. A `HeldLease` has its own `release`.
   *
   * @throws {LeaseNotFoundError | LeaseLostError | LeaseExpiredError} this tenure is over already.
   * @throws {RefusedError} reason `NOT_WAITING`: `transferTo` names nobody in the queue; nothing was released.
   */
  async release(name: string, options: ReleaseOptions): Promise<Released> {
    const request = { ...this.#tenure(name, options), transferTo: options.transferTo ?? '' };
    return this.#repeated(options, (call) => this.#settings.transport.release(request, call));
  }

  /**
   * Ends somebody else's tenure. Unless forced, nobody is granted the lease before the holder has released it or its deadline has
   * passed; `remainingMs` says how long that is at most.
   *
   * @throws {LeaseNotFoundError | LeaseLostError | LeaseExpiredError} this tenure is over already.
   */
  async revoke(name: string, options: RevokeOptions): Promise<Revoked> {
    const { transferTo = '', graceMs = 0, force = false } = options;
    const request = { ...this.#tenure(name, options), transferTo, graceMs: checkMs('graceMs', graceMs), force };
    return this.#once(options, (call) => this.#settings.transport.revoke(request, call));
  }

  /**
   * Asks whether a fencing token is that of the living tenure, from the committed record, never from a cache.
   *
   * @throws {LeaseNotFoundError}
   */
  async validate(name: string, options: TokenOptions): Promise<Validity> {
    const request = this.#tenure(name, options);
    return this.#repeated(options, (call) => this.#settings.transport.validate(request, call));
  }

  /**
   * Reads one lease.
   *
   * @throws {LeaseNotFoundError}
   */
  get(name: string, options: GetOptions = {}): Promise<Lease> {
    const request = { ...this.#name(name, options), cached: options.cached ?? false };
    return this.#repeated(options, (call) => this.#settings.transport.get(request, call));
  }

  /** Lists leases in the order of namespace and name, fetching pages as they are needed. */
  async *list(options: ListOptions = {}): AsyncGenerator<Lease, void, undefined> {
    for await (const { leases } of this.listPages(options)) yield* leases;
  }

  /** Lists leases page by page. All pages tell the revision of the first, from which a watch misses nothing. */
  async *listPages(options: ListOptions = {}): AsyncGenerator<LeasePage, void, undefined> {
    const { labelSelector = '', pageSize = 0, cached = false } = options;
    const request = { namespace: this.#namespaces(options), labelSelector, pageSize, cached };
    let pageToken = '';
    do {
      const page = { ...request, pageToken };
      const answer = await this.#repeated(options, (call) => this.#settings.transport.list(page, call));
      yield { leases: answer.leases, revision: answer.revision };
      pageToken = answer.nextPageToken;
    } while (pageToken !== '');
  }

  /**
   * Creates a record that nobody holds.
   *
   * @throws {RefusedError} reason `LEASE_EXISTS`, or `NAME_RESERVED` while the name of a deleted lease is reserved.
   */
  create(name: string, options: CreateOptions = {}): Promise<Lease> {
    const request = { ...this.#name(name, options), ...metadataOf(options) };
    return this.#once(options, (call) => this.#settings.transport.create(request, call));
  }

  /**
   * Changes labels, annotations, lock delay or retention of a record.
   *
   * @throws {LeaseNotFoundError}
   * @throws {ConflictError} the record is of another version than `resourceVersion`.
   * @throws {LeaseLostError | LeaseExpiredError} `fencingToken` is not that of the living tenure.
   */
  async update(name: string, options: UpdateOptions): Promise<Lease> {
    const labels = splitEntries(options.labels);
    const annotations = splitEntries(options.annotations);
    const request = {
      ...this.#tenure(name, options),
      ...metadataOf({ ...options, labels: labels.set, annotations: annotations.set }),
      removeLabels: labels.remove,
      removeAnnotations: annotations.remove,
      resourceVersion: checkInt64('resourceVersion', options.resourceVersion),
    };
    return this.#once(options, (call) => this.#settings.transport.update(request, call));
  }

  /**
   * Deletes a record. The name of a held lease stays reserved for as long as its holder may believe in it: `reservedMs`.
   *
   * @throws {LeaseNotFoundError}
   * @throws {ConflictError} the record is of another version than `resourceVersion`.
   * @throws {RefusedError} reason `LEASE_HELD`: neither `uid` nor `fencingToken` says which tenure is meant.
   * @throws {LeaseLostError} they mean another one.
   */
  async delete(name: string, options: DeleteOptions = {}): Promise<Deleted> {
    const { uid = '', force = false } = options;
    const resourceVersion = checkInt64('resourceVersion', options.resourceVersion);
    const request = { ...this.#tenure(name, options), uid, resourceVersion, force };
    return this.#once(options, (call) => this.#settings.transport.delete(request, call));
  }

  /** Watches for changes of leases; resumes by itself after any loss of the connection. See `LeaseWatch`. */
  watch(options: WatchOptions = {}): LeaseWatch {
    const { name = '', labelSelector = '', fromRevision = 0n, includeRenewals = false } = options;
    const request = { namespace: this.#namespaces(options), name, labelSelector, fromRevision, includeRenewals };
    return new LeaseWatch(this.#settings, request, this.#untilClosing(options.signal));
  }

  /**
   * Keeps nodes alive, with one lease each, over this client's one heartbeat stream. See `NodeAgent`.
   *
   * @throws {InvalidError} a name cannot be that of a lease, or the timings do not fit together.
   */
  heartbeatNodes(options: HeartbeatNodesOptions = {}): NodeAgent {
    if (this.#closing.signal.aborted) throw new ClientClosedError();
    return new NodeAgent({ client: this, clock: this.#settings.clock, closing: this.#closing.signal }, options);
  }

  /**
   * Follows which nodes are alive, by the leases that `heartbeatNodes` keeps. See `NodeMonitor`.
   *
   * @throws {InvalidError} an option breaks a rule.
   */
  monitorNodes(options: MonitorNodesOptions = {}): NodeMonitor {
    const { namespace = 'kube-node-lease', labelSelector, signal } = options;
    const settings = monitorSettings(options);
    const source: MonitorSource = {
      informer: this.informer({ namespace, labelSelector, signal }),
      get: (name, until) => this.get(name, { namespace, signal: until }),
    };
    return new NodeMonitor(source, settings, this.#settings.clock);
  }

  /** Keeps a local copy of leases that follows the server. See `Informer`. */
  informer(options: InformerOptions = {}): Informer {
    const { namespace, allNamespaces, labelSelector, includeRenewals = false, indexLabels = [] } = options;
    const scope = { namespace, allNamespaces, labelSelector };
    const source: InformerSource = {
      list: (until) => this.listPages({ ...scope, pageSize: 1000, signal: until }),
      watch: (fromRevision, until) => this.watch({ ...scope, includeRenewals, fromRevision, signal: until }),
    };
    const settings = { namespace: namespace ?? this.#settings.namespace, indexLabels, includeRenewals };
    return new Informer(source, settings, this.#settings.clock, this.#untilClosing(options.signal));
  }

  /** Follows who holds a lease, without campaigning for it. See `LeaderObserver`. */
  observeLeader(name: string, { namespace, signal }: ObserveLeaderOptions = {}): LeaderObserver {
    const source: LeaderSource = {
      get: (until) => this.get(name, { namespace, signal: until }),
      watch: (until) => this.watch({ namespace, name, signal: until }),
    };
    return new LeaderObserver(source, this.#settings.clock, this.#untilClosing(signal));
  }

  /**
   * Ends everything: waits and watches at once, `withLease` and `elect` once their work has stopped, within the time their leases
   * have left; then the held leases are released, within `timeoutMs`, and the connections closed. Repeating it is harmless.
   *
   * @param options `release: false` leaves the leases to run out by themselves. Default: true.
   */
  close({ release = true }: { readonly release?: boolean | undefined } = {}): Promise<void> {
    this.#closed ??= this.#close(release);
    return this.#closed;
  }

  /** Closes the client and releases its leases. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #close(release: boolean): Promise<void> {
    if (!release) this.#tenures.abandon();
    this.#closing.abort(new ClientClosedError());
    await Promise.allSettled(this.#scopes);
    await this.#tenures.close();
    this.#settings.transport.close();
    await this.#watchdog?.close();
  }

  async #acquire(name: string, options: AcquireOptions): Promise<AcquireOutcome> {
    const durationMs = checkPositiveMs('durationMs', options.durationMs ?? 15_000);
    const request = {
      ...this.#name(name, options),
      ...metadataOf(options),
      holder: options.holder ?? this.holder,
      acquireId: options.acquireId ?? randomUUID(),
      durationMs,
      waitMs: checkMs('waitMs', options.waitMs ?? 0),
      priority: checkPriority(options.priority),
    };
    const beatIntervalMs = checkBeatInterval(options.beatIntervalMs ?? durationMs / 3, durationMs);
    const plan = { request, beatIntervalMs, renewDeadlineMs: Infinity, repeats: options.acquireId !== undefined };
    const call = this.#call(options);
    try {
      return await underSignals([call.signal, this.#closing.signal], (signal) =>
        this.#tenures.acquire(plan, { ...call, signal }),
      );
    } catch (error) {
      throw this.#closing.signal.aborted ? new ClientClosedError() : error;
    }
  }

  async #scope<T>(run: () => Promise<T>): Promise<T> {
    if (this.#closing.signal.aborted) throw new ClientClosedError();
    const scope = run();
    this.#scopes.add(scope);
    try {
      return await scope;
    } finally {
      this.#scopes.delete(scope);
    }
  }

  /** A call that is safe to repeat. */
  async #repeated<T>(options: CallOptions, attempt: (call: Call) => Promise<T>): Promise<T> {
    if (this.#closing.signal.aborted) throw new ClientClosedError();
    const { clock, transport } = this.#settings;
    return repeatWhileUnavailable(clock, this.#call(options), attempt, { share: attemptShare(transport) });
  }

  /** A call whose repeat could meet its own effect: made again only where a server has said that it did nothing. */
  async #once<T>(options: CallOptions, attempt: (call: Call) => Promise<T>): Promise<T> {
    if (this.#closing.signal.aborted) throw new ClientClosedError();
    return repeatWhileUnavailable(this.#settings.clock, this.#call(options), attempt, { only: isDraining });
  }

  #call({ timeoutMs = this.#settings.timeoutMs, signal }: CallOptions): Call {
    return { timeoutMs: checkPositiveMs('timeoutMs', timeoutMs), signal };
  }

  #name(name: string, { namespace = this.#settings.namespace }: LeaseCallOptions): LeaseName {
    return { namespace, name };
  }

  #tenure(
    name: string,
    options: LeaseCallOptions & { readonly fencingToken?: bigint | undefined },
  ): LeaseName & { fencingToken: bigint } {
    return { ...this.#name(name, options), fencingToken: checkInt64('fencingToken', options.fencingToken) };
  }

  #namespaces(options: { readonly namespace?: string | undefined; readonly allNamespaces?: boolean | undefined }): string {
    return options.allNamespaces === true ? '' : (options.namespace ?? this.#settings.namespace);
  }

  #untilClosing(signal: AbortSignal | undefined): AbortSignal {
    return signal === undefined ? this.#closing.signal : AbortSignal.any([signal, this.#closing.signal]);
  }
}
