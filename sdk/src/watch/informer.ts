import { abortReason, type Clock, sleep, within } from '../clock.js';
import { InvalidError, LeaseholdError, timedOut, WatchExpiredError } from '../errors.js';
import { backoffMs } from '../retry.js';
import type { CallOptions, Lease, LeaseEvent, LeasePage } from '../types.js';
import { checkPositiveMs } from '../verbs.js';
import { combineChanges, differOnlyByRenewal, type LeaseChange, type LeaseChangeReason } from './change.js';
import { Handlers } from './handlers.js';
import { keyOf, LeaseTable } from './lease-table.js';
import { Mailbox } from './mailbox.js';

/** Options of `Client.informer`. */
export interface InformerOptions {
  /** Default: the client's. */
  readonly namespace?: string | undefined;
  /** Caches the leases of every namespace. Default: false. */
  readonly allNamespaces?: boolean | undefined;
  /** Only leases whose labels match, in Kubernetes' syntax. One that leaves the selection is deleted from the cache. Default: all. */
  readonly labelSelector?: string | undefined;
  /** Labels by whose values `byLabel` finds leases. Default: none. */
  readonly indexLabels?: readonly string[] | undefined;
  /** Follows recorded renewals too, so that `renewTime` and `resourceVersion` are those of the record. Default: false. */
  readonly includeRenewals?: boolean | undefined;
  /** Ends the informer: iterations and waits then throw the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** What handlers of an informer hear of. */
export interface InformerEvents {
  /** A lease came into the cache. */
  readonly add: LeaseChange;
  /** A lease in the cache changed. */
  readonly update: LeaseChange;
  /** A lease left the cache. */
  readonly delete: LeaseChange;
  /** Any of the three. */
  readonly change: LeaseChange;
  /** The watch had fallen off the server's history: everything was listed again, and the differences have been told. */
  readonly resync: undefined;
  /** A handler threw, or a list or a watch failed. The informer tries again by itself, unless the error is an `InvalidError`. */
  readonly error: Error;
  /** The informer has ended: with nothing when it was closed, else with what ended it. */
  readonly end: Error | undefined;
}

/** What an informer asks for. */
export interface InformerSource {
  /** Lists everything that is selected. */
  list(signal: AbortSignal): AsyncIterable<LeasePage>;
  /** Watches it, after a revision. */
  watch(fromRevision: bigint, signal: AbortSignal): AsyncIterable<LeaseEvent>;
}

/** What of its options an informer has to know itself. */
export interface InformerSettings {
  /** The namespace of a `get` that names none. */
  readonly namespace: string;
  readonly indexLabels: readonly string[];
  readonly includeRenewals: boolean;
}

/** The longest wait before another list, as of client-go's reflector: listing many leases again and again is a load. */
const relistBackoffMsMax = 30_000;
/** How long `waitForSync` waits unless told otherwise. */
const syncTimeoutMs = 30_000;

/**
 * A local copy of leases that follows the server: a list, and then a watch from where the list was. It begins at once. After any loss
 * of the connection it goes on by itself from the last revision seen; when the server keeps no history from there, it lists again and
 * tells the differences. Meanwhile, and after its end, the cache stays as it was.
 *
 * What it shows was true at the server a moment ago. Decide nothing by it that must not be wrong: acquire, or validate. `remainingMs` of
 * a lease is as of the list that showed it, and `undefined` after any change. A lease that has expired stays, in state `EXPIRED`.
 * Without `includeRenewals` a renewal changes nothing here, so `resourceVersion` may be older than the record's.
 *
 * While a list of several pages is under way, a lease that was deleted meanwhile may come back for a moment, until the watch that
 * follows has caught up. No lease ever goes back to an older version than the list showed.
 */
export class Informer implements Iterable<Lease> {
  readonly #source: InformerSource;
  readonly #settings: InformerSettings;
  readonly #clock: Clock;
  readonly #closing = new AbortController();
  readonly #table: LeaseTable;
  readonly #handlers = new Handlers<InformerEvents>();
  /** One for each iteration over changes. */
  readonly #readers = new Set<Mailbox<string, LeaseChange>>();
  readonly #firstSync: Promise<void>;
  #onSynced: () => void = () => undefined;
  #onNeverSynced: (error: Error) => void = () => undefined;
  /** Leases that the list showed in a newer version than its revision. What the watch says up to there is in the cache already. */
  #ahead = new Map<string, bigint>();
  #synced = false;
  #end: { readonly error: Error | undefined } | undefined;
  #lastFailure: Error | undefined;

  /** @internal Informers come from `Client.informer`. */
  constructor(source: InformerSource, settings: InformerSettings, clock: Clock, signal: AbortSignal) {
    this.#source = source;
    this.#settings = settings;
    this.#clock = clock;
    this.#table = new LeaseTable(settings.indexLabels);
    this.#firstSync = new Promise((resolve, reject) => {
      this.#onSynced = resolve;
      this.#onNeverSynced = reject;
    });
    this.#firstSync.catch(() => undefined);
    this.#run(AbortSignal.any([signal, this.#closing.signal])).catch((error: unknown) => {
      this.#finish(error instanceof Error ? error : new Error('Informer', { cause: error }));
    });
  }

  /** Whether the cache has been filled once. */
  get synced(): boolean {
    return this.#synced;
  }

  /** How many leases are cached. */
  get size(): number {
    return this.#table.size;
  }

  /**
   * Resolves once the cache has been filled.
   *
   * @param options `timeoutMs`: how long to wait; default 30,000.
   * @throws {UnavailableError} reason `TIMED_OUT`: not in that time. The cause is why the last attempt failed. The informer tries on.
   * @throws {InvalidError} the server refuses the options.
   * @throws {LeaseholdError} reason `INFORMER_CLOSED`, or why else it ended before it was filled.
   */
  waitForSync({ timeoutMs = syncTimeoutMs, signal }: CallOptions = {}): Promise<void> {
    const onTimeout = (): Error => timedOut('Fill the cache', timeoutMs, this.#lastFailure);
    return within(this.#clock, this.#firstSync, { timeoutMs: checkPositiveMs('timeoutMs', timeoutMs), signal, onTimeout });
  }

  /** The lease of that name. `namespace` defaults to the informer's, or to the client's when it covers all. */
  get(name: string, namespace: string = this.#settings.namespace): Lease | undefined {
    return this.#table.get(namespace, name);
  }

  /**
   * The leases whose label has that value. This costs no more the more others there are.
   *
   * @throws {InvalidError} the label is not one of `indexLabels`.
   */
  byLabel(label: string, value: string): Lease[] {
    return this.#table.byLabel(label, value);
  }

  /** Iterates over the cached leases, in no particular order. */
  [Symbol.iterator](): IterableIterator<Lease> {
    return this.#table[Symbol.iterator]();
  }

  /**
   * Calls a handler for everything that happens from now on; one that is added in the turn in which the informer was made misses
   * nothing. The cache is up to date when it is called. A handler that throws harms nobody else: the error goes to the handlers of
   * `error`, and is an unhandled rejection where there is none, or where one of these throws.
   *
   * @returns what removes the handler.
   */
  on<Name extends keyof InformerEvents>(name: Name, handler: (what: InformerEvents[Name]) => void): () => void {
    return this.#handlers.on(name, handler);
  }

  /**
   * Iterates over what is in the cache, as `add`, and then over every change. For a reader that is slow, the changes of a lease that it
   * has not come to are combined into one: memory is bounded by the number of leases. Nothing comes out of order for one lease.
   *
   * It finishes when the informer is closed, and throws what else ended it: the signal's reason, a `ClientClosedError`, an
   * `InvalidError`.
   */
  async *changes(): AsyncGenerator<LeaseChange, void, undefined> {
    const reader = new Mailbox<string, LeaseChange>(combineChanges);
    for (const lease of this.#table) reader.put(lease.uid, { type: 'add', lease, previous: undefined, reason: 'LISTED' });
    if (this.#end !== undefined) reader.end(this.#end.error);
    this.#readers.add(reader);
    try {
      yield* reader.read();
    } finally {
      this.#readers.delete(reader);
    }
  }

  /** Ends the informer. The cache stays as it is. Idempotent. */
  close(): void {
    this.#finish(undefined);
  }

  /** Ends the informer. */
  [Symbol.asyncDispose](): Promise<void> {
    this.close();
    return Promise.resolve();
  }

  #finish(error: Error | undefined): void {
    if (this.#end !== undefined) return;
    this.#end = { error };
    this.#closing.abort();
    for (const reader of this.#readers) reader.end(error);
    const closed = { code: 'CANCELLED', reason: 'INFORMER_CLOSED', message: 'The informer is closed' };
    this.#onNeverSynced(error ?? new LeaseholdError(closed));
    this.#handlers.emit('end', error);
  }

  /** Lists and watches, again and again, until the end. */
  async #run(signal: AbortSignal): Promise<never> {
    for (let failures = 1; ; failures += 1) {
      const startMs = this.#clock.monotonicMs();
      try {
        const revision = await this.#list(signal);
        for await (const event of this.#source.watch(revision, signal)) {
          if (signal.aborted) throw abortReason(signal);
          this.#apply(event);
        }
      } catch (error) {
        if (signal.aborted) throw abortReason(signal);
        this.#failed(error instanceof Error ? error : new Error('Informer', { cause: error }));
      }
      if (this.#clock.monotonicMs() - startMs > relistBackoffMsMax) failures = 1;
      await sleep(this.#clock, backoffMs(this.#clock, failures, relistBackoffMsMax), signal);
    }
  }

  #failed(error: Error): void {
    this.#lastFailure = error;
    // That the history does not reach back is in the order of things.
    if (!(error instanceof WatchExpiredError)) this.#handlers.emit('error', error);
    if (error instanceof InvalidError) throw error;
  }

  /** Makes the cache what the server has. Returns the revision of the list, from which a watch misses nothing. */
  async #list(signal: AbortSignal): Promise<bigint> {
    const unlisted = new Map(Array.from(this.#table, (lease) => [keyOf(lease), lease]));
    let listed = 0n;
    this.#ahead = new Map();
    for await (const { leases, revision } of this.#source.list(signal)) {
      listed = revision;
      for (const lease of leases) {
        if (signal.aborted) throw abortReason(signal);
        const key = keyOf(lease);
        if (lease.resourceVersion > revision) this.#ahead.set(key, lease.resourceVersion);
        const known = unlisted.get(key);
        unlisted.delete(key);
        if (known?.uid === lease.uid && !this.#differs(known, lease)) this.#table.put(lease);
        else this.#put(lease, 'LISTED');
      }
    }
    for (const lease of unlisted.values()) this.#remove(lease, 'LISTED');
    if (this.#synced) this.#handlers.emit('resync', undefined);
    this.#synced = true;
    this.#onSynced();
    return listed;
  }

  #differs(known: Lease, listed: Lease): boolean {
    if (known.resourceVersion === listed.resourceVersion) return false;
    return this.#settings.includeRenewals || !differOnlyByRenewal(known, listed);
  }

  #apply({ type, reason, lease, revision }: LeaseEvent): void {
    const key = keyOf(lease);
    if (revision <= (this.#ahead.get(key) ?? 0n)) return;
    this.#ahead.delete(key);
    if (type === 'DELETED') this.#remove(lease, reason === 'UNSELECTED' ? 'UNSELECTED' : type);
    else this.#put(lease, type);
  }

  #put(lease: Lease, reason: LeaseChangeReason): void {
    let previous = this.#table.get(lease.namespace, lease.name);
    if (previous !== undefined && previous.uid !== lease.uid) {
      this.#remove(previous, reason);
      previous = undefined;
    }
    this.#table.put(lease);
    this.#tell({ type: previous === undefined ? 'add' : 'update', lease, previous, reason });
  }

  #remove(lease: Lease, reason: LeaseChangeReason): void {
    const previous = this.#table.get(lease.namespace, lease.name);
    if (previous === undefined) return;
    this.#table.remove(previous);
    this.#tell({ type: 'delete', lease, previous, reason });
  }

  #tell(change: LeaseChange): void {
    for (const reader of this.#readers) reader.put(change.lease.uid, change);
    this.#handlers.emit(change.type, change);
    this.#handlers.emit('change', change);
  }
}
