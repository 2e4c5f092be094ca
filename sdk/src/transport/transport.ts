import type { LeaseholdError } from '../errors.js';
import type { Busy, Lease, LeaseEvent, LeasePage, Renewed, Validity } from '../types.js';

/**
 * What the SDK asks of a server, in its own words: durations in milliseconds, tokens and revisions as bigint. gRPC is one transport;
 * another can be put in its place for testing.
 *
 * Every promise rejects with a `LeaseholdError`, or with the signal's reason. A transport repeats nothing by itself, save that a call
 * which has not left this process may be sent to another endpoint.
 */
export interface Transport {
  /** Resolves once a server can be reached. */
  ready(call: Call): Promise<void>;
  /** Claims a lease. One that waits in the queue holds the call for as long as `waitMs`. */
  acquire(request: AcquireRequest, call: Call): Promise<AcquireAnswer>;
  /** Renews one lease, durably. */
  renew(request: RenewRequest, call: Call): Promise<Renewed>;
  /** Renews many leases: one result for each request, in their order. */
  renewBatch(requests: readonly RenewRequest[], call: Call): Promise<readonly RenewResult[]>;
  /** Ends a tenure by its token. */
  release(request: ReleaseRequest, call: Call): Promise<Released>;
  /** Ends somebody else's tenure by its token. */
  revoke(request: RevokeRequest, call: Call): Promise<Revoked>;
  /** Asks whether a token is that of the living tenure. */
  validate(request: TokenRequest, call: Call): Promise<Validity>;
  /** Reads one record. */
  get(request: GetRequest, call: Call): Promise<Lease>;
  /** Reads one page of records, in the order of namespace and name. */
  list(request: ListRequest, call: Call): Promise<ListAnswer>;
  /** Makes a record that nobody holds. */
  create(request: CreateRequest, call: Call): Promise<Lease>;
  /** Changes what callers write of a record. */
  update(request: UpdateRequest, call: Call): Promise<Lease>;
  /** Deletes a record. */
  delete(request: DeleteRequest, call: Call): Promise<Deleted>;
  /** One stream of changes, until it fails; resuming is the caller's. Leaving the iteration ends the stream. */
  watch(request: WatchRequest, signal: AbortSignal): AsyncIterable<WatchMessage>;
  /** Opens one heartbeat stream on a connection of its own. The sink hears nothing before this has returned. */
  heartbeat(sink: HeartbeatSink): HeartbeatStream;
  /** Whether a stream that is told to go elsewhere has somewhere to go. */
  readonly canMove: boolean;
  /** Ends everything that is under way and frees the connections. Idempotent. */
  close(): void;
}

/** What bounds a call. */
export interface Call {
  /** How long the call may take, in milliseconds. */
  readonly timeoutMs: number;
  /** Gives the call up. */
  readonly signal?: AbortSignal | undefined;
}

/** Which lease is meant. */
export interface LeaseName {
  /** Part of the lease's identity: the same name in another namespace is another lease. */
  readonly namespace: string;
  /** Unique within the namespace. */
  readonly name: string;
}

/** Parts of a record that callers write; what is `undefined` stays as it is. */
export interface Metadata {
  /** What selectors match on. */
  readonly labels?: Readonly<Record<string, string>> | undefined;
  /** Data for people and programs. */
  readonly annotations?: Readonly<Record<string, string>> | undefined;
  /** For how long nobody is granted the lease after an expiry or a revoke, in milliseconds. */
  readonly lockDelayMs?: number | undefined;
  /** How long the record is kept after an expiry, in milliseconds. */
  readonly keepAfterExpiryMs?: number | undefined;
}

/** Asks for a lease. */
export interface AcquireRequest extends LeaseName, Metadata {
  /** Who is to hold it. */
  readonly holder: string;
  /** Identity of this attempt: repeated under it by the same holder, the same tenure is granted again. */
  readonly acquireId: string;
  /** How long the lease is to stay held without a renewal, in milliseconds. */
  readonly durationMs: number;
  /** How long to wait in the queue, in milliseconds; 0: not at all. */
  readonly waitMs: number;
  /** Place in the queue: highest first, an int32. */
  readonly priority: number;
}

/** The lease as granted, or who has it. */
export type AcquireAnswer = { readonly kind: 'granted'; readonly lease: Lease } | { readonly kind: 'busy'; readonly busy: Busy };

/** Means one tenure. */
export interface TokenRequest extends LeaseName {
  /** The token of the tenure. */
  readonly fencingToken: bigint;
}

/** Means one tenure, by its holder. */
export interface RenewRequest extends TokenRequest {
  /** Who holds the lease. */
  readonly holder: string;
}

/** What became of one renewal of a batch. */
export type RenewResult =
  { readonly renewed: Renewed; readonly error?: undefined } | { readonly error: LeaseholdError; readonly renewed?: undefined };

/** Ends a tenure. */
export interface ReleaseRequest extends TokenRequest {
  /** Holder name of a waiter who is to be granted next. Empty: the first in the queue. */
  readonly transferTo: string;
}

/** What a release was answered. */
export interface Released {
  /** The record now: available, or held by the next in the queue. */
  readonly lease: Lease;
  /** Whether the tenure had been released before: then this call changed nothing. */
  readonly alreadyReleased: boolean;
}

/** Ends somebody else's tenure. */
export interface RevokeRequest extends ReleaseRequest {
  /** How long the holder may go on renewing, in milliseconds. */
  readonly graceMs: number;
  /** Does not wait for the holder: then only fencing protects. */
  readonly force: boolean;
}

/** What a revoke was answered. */
export interface Revoked {
  /** The record now: revoking, or released. */
  readonly lease: Lease;
  /** How long at most until the lease can be granted, lock delay included, in milliseconds. */
  readonly remainingMs: number;
}

/** Reads a record. */
export interface GetRequest extends LeaseName {
  /** Whether an answer may lag behind by the delay between servers. */
  readonly cached: boolean;
}

/** Reads a page of records. */
export interface ListRequest {
  /** Empty: all namespaces. */
  readonly namespace: string;
  /** In Kubernetes' syntax. Empty: all. */
  readonly labelSelector: string;
  /** 0: the server's default. */
  readonly pageSize: number;
  /** From the page before. Empty: the first page. */
  readonly pageToken: string;
  /** Whether an answer may lag behind by the delay between servers. */
  readonly cached: boolean;
}

/** A page of a list, and where the next one starts. */
export interface ListAnswer extends LeasePage {
  /** Empty: this was the last page. */
  readonly nextPageToken: string;
}

/** Makes a record. */
export type CreateRequest = LeaseName & Metadata;

/** Changes a record. */
export interface UpdateRequest extends LeaseName, Metadata {
  /** 0: whatever it is. */
  readonly resourceVersion: bigint;
  /** 0: whoever holds it. */
  readonly fencingToken: bigint;
  /** Keys. */
  readonly removeLabels: readonly string[];
  /** Keys. */
  readonly removeAnnotations: readonly string[];
}

/** Deletes a record. */
export interface DeleteRequest extends LeaseName {
  /** Empty: whichever. */
  readonly uid: string;
  /** 0: whichever. */
  readonly fencingToken: bigint;
  /** 0: whatever it is. */
  readonly resourceVersion: bigint;
  /** Leaves no reservation behind: then only fencing protects. */
  readonly force: boolean;
}

/** What a deletion was answered. */
export interface Deleted {
  /** The record as it was. */
  readonly lease: Lease;
  /** How long the name stays reserved, in milliseconds: its holder may still believe. `undefined`: not at all. */
  readonly reservedMs: number | undefined;
}

/** Asks for changes. */
export interface WatchRequest {
  /** Empty: all namespaces. */
  readonly namespace: string;
  /** Empty: all names. */
  readonly name: string;
  /** In Kubernetes' syntax. Empty: all. */
  readonly labelSelector: string;
  /** The last revision seen; 0: now. */
  readonly fromRevision: bigint;
  /** Whether `RENEWED` events are wanted. */
  readonly includeRenewals: boolean;
}

/** One message of a watch. */
export interface WatchMessage {
  /** In the order of their revisions; none: a bookmark. */
  readonly events: readonly LeaseEvent[];
  /** Everything up to here has been sent. */
  readonly revision: bigint;
}

/** An open heartbeat stream. */
export interface HeartbeatStream {
  /** Sends a message. Nothing happens once the stream has ended. */
  send(message: HeartbeatMessage): void;
  /** Ends the stream at once; the sink hears nothing more. Idempotent. */
  close(): void;
}

/** Where a heartbeat stream reports. */
export interface HeartbeatSink {
  /** A message came. */
  onAnswer(answer: HeartbeatAnswer): void;
  /** The stream is over, not by `close`. */
  onEnd(error: LeaseholdError): void;
}

/** One message to the server: renews, attaches and detaches. */
export interface HeartbeatMessage {
  /** Rises from 1 on each stream. */
  readonly sequence: number;
  /** Handles of the leases that this message renews. */
  readonly handles: readonly number[];
  /** Leases to keep alive from now on; attaching renews them as well. */
  readonly attach: readonly RenewRequest[];
  /** Handles that are kept alive no more. */
  readonly detach: readonly number[];
}

/** One message from the server. Read in this order: attached, durations, lost, excepted, acknowledged. */
export interface HeartbeatAnswer {
  /** What became of attaches. */
  readonly attached: readonly HeartbeatAttached[];
  /** Durations that have changed, in milliseconds; they hold for the acknowledgement in this message. */
  readonly durations: readonly { readonly handle: number; readonly durationMs: number }[];
  /** Tenures that have ended, or are announced to. */
  readonly lost: readonly HeartbeatLoss[];
  /** Beats that `acknowledged` does not cover. */
  readonly excepted: readonly HeartbeatException[];
  /** Every message up to this sequence number was taken. 0: none yet. */
  readonly acknowledged: number;
  /** Whether the server asks to go elsewhere. */
  readonly draining: boolean;
}

/** What became of one attach. */
export interface HeartbeatAttached {
  /** The message that asked. */
  readonly sequence: number;
  /** Which of the attaches in that message, from 0. */
  readonly index: number;
  /** The handle, or why there is none. */
  readonly outcome: HeartbeatHandle | { readonly kind: 'refused'; readonly error: LeaseholdError };
}

/** An attached lease. */
export interface HeartbeatHandle {
  /** Tells it from a refusal. */
  readonly kind: 'handle';
  /** Stands for the lease in later messages. Handles rise, and are never used again on a stream. */
  readonly handle: number;
  /** The duration in force, in milliseconds. */
  readonly durationMs: number;
  /** How long the lease stays held from when the server read the attach, in milliseconds. */
  readonly remainingMs: number;
}

/** A beat that did not count. */
export interface HeartbeatException {
  /** The lease. */
  readonly handle: number;
  /** The last message that beat it in vain. */
  readonly sequence: number;
  /**
   * `NOT_ATTACHED`: no lease has this handle. `ENDING`: undecided, the next beat tells more. `LOST`: a loss says why. `MOVED`: another
   * server has the lease's newest stream.
   */
  readonly refusal: 'NOT_ATTACHED' | 'ENDING' | 'LOST' | 'MOVED';
}

/** A tenure that has ended, or is announced to. */
export interface HeartbeatLoss {
  /** The lease. */
  readonly handle: number;
  /** Why. */
  readonly reason: LossReason;
  /** Who holds the lease now; empty: nobody. */
  readonly holder: string;
  /** The newest token of the lease. */
  readonly fencingToken: bigint;
  /** For a revoke with grace: beats count for this long yet. */
  readonly graceMs: number | undefined;
}

/** Why a tenure ended. `MOVED`: it has not; another server has its newest stream. */
export type LossReason = 'EXPIRED' | 'RELEASED' | 'REVOKED' | 'DELETED' | 'MOVED';
