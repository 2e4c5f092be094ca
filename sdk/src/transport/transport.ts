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
  acquire(request: AcquireRequest, call: Call): Promise<AcquireAnswer>;
  renew(request: RenewRequest, call: Call): Promise<Renewed>;
  renewBatch(requests: readonly RenewRequest[], call: Call): Promise<readonly RenewResult[]>;
  release(request: ReleaseRequest, call: Call): Promise<Released>;
  revoke(request: RevokeRequest, call: Call): Promise<Revoked>;
  validate(request: TokenRequest, call: Call): Promise<Validity>;
  get(request: GetRequest, call: Call): Promise<Lease>;
  list(request: ListRequest, call: Call): Promise<ListAnswer>;
  create(request: CreateRequest, call: Call): Promise<Lease>;
  update(request: UpdateRequest, call: Call): Promise<Lease>;
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
  readonly signal?: AbortSignal | undefined;
}

/** Which lease is meant. */
export interface LeaseName {
  readonly namespace: string;
  readonly name: string;
}

/** Parts of a record that callers write; what is `undefined` stays as it is. */
export interface Metadata {
  readonly labels?: Readonly<Record<string, string>> | undefined;
  readonly annotations?: Readonly<Record<string, string>> | undefined;
  readonly lockDelayMs?: number | undefined;
  readonly keepAfterExpiryMs?: number | undefined;
}

export interface AcquireRequest extends LeaseName, Metadata {
  readonly holder: string;
  readonly acquireId: string;
  readonly durationMs: number;
  readonly waitMs: number;
  readonly priority: number;
}

export type AcquireAnswer = { readonly kind: 'granted'; readonly lease: Lease } | { readonly kind: 'busy'; readonly busy: Busy };

export interface TokenRequest extends LeaseName {
  readonly fencingToken: bigint;
}

export interface RenewRequest extends TokenRequest {
  readonly holder: string;
}

export type RenewResult =
  { readonly renewed: Renewed; readonly error?: undefined } | { readonly error: LeaseholdError; readonly renewed?: undefined };

export interface ReleaseRequest extends TokenRequest {
  /** Empty: the first in the queue. */
  readonly transferTo: string;
}

export interface Released {
  readonly lease: Lease;
  readonly alreadyReleased: boolean;
}

export interface RevokeRequest extends ReleaseRequest {
  readonly graceMs: number;
  readonly force: boolean;
}

export interface Revoked {
  readonly lease: Lease;
  readonly remainingMs: number;
}

export interface GetRequest extends LeaseName {
  readonly cached: boolean;
}

export interface ListRequest {
  /** Empty: all namespaces. */
  readonly namespace: string;
  readonly labelSelector: string;
  /** 0: the server's default. */
  readonly pageSize: number;
  readonly pageToken: string;
  readonly cached: boolean;
}

export interface ListAnswer extends LeasePage {
  /** Empty: this was the last page. */
  readonly nextPageToken: string;
}

export type CreateRequest = LeaseName & Metadata;

export interface UpdateRequest extends LeaseName, Metadata {
  /** 0: whatever it is. */
  readonly resourceVersion: bigint;
  /** 0: whoever holds it. */
  readonly fencingToken: bigint;
  readonly removeLabels: readonly string[];
  readonly removeAnnotations: readonly string[];
}

export interface DeleteRequest extends LeaseName {
  /** Empty: whichever. */
  readonly uid: string;
  /** 0: whichever. */
  readonly fencingToken: bigint;
  /** 0: whatever it is. */
  readonly resourceVersion: bigint;
  readonly force: boolean;
}

export interface Deleted {
  readonly lease: Lease;
  readonly reservedMs: number | undefined;
}

export interface WatchRequest {
  /** Empty: all namespaces. */
  readonly namespace: string;
  /** Empty: all names. */
  readonly name: string;
  readonly labelSelector: string;
  /** The last revision seen; 0: now. */
  readonly fromRevision: bigint;
  readonly includeRenewals: boolean;
}

/** Events in the order of their revisions; none: a bookmark. */
export interface WatchMessage {
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
  onAnswer(answer: HeartbeatAnswer): void;
  /** The stream is over, not by `close`. */
  onEnd(error: LeaseholdError): void;
}

export interface HeartbeatMessage {
  /** Rises from 1 on each stream. */
  readonly sequence: number;
  /** Handles of the leases that this message renews. */
  readonly handles: readonly number[];
  readonly attach: readonly RenewRequest[];
  /** Handles that are kept alive no more. */
  readonly detach: readonly number[];
}

/** Read in this order: attached, durations, lost, excepted, acknowledged. */
export interface HeartbeatAnswer {
  readonly attached: readonly HeartbeatAttached[];
  readonly durations: readonly { readonly handle: number; readonly durationMs: number }[];
  readonly lost: readonly HeartbeatLoss[];
  readonly excepted: readonly HeartbeatException[];
  /** Every message up to this sequence number was taken. 0: none yet. */
  readonly acknowledged: number;
  readonly draining: boolean;
}

export interface HeartbeatAttached {
  /** The message that asked. */
  readonly sequence: number;
  /** Which of the attaches in that message, from 0. */
  readonly index: number;
  readonly outcome: HeartbeatHandle | { readonly kind: 'refused'; readonly error: LeaseholdError };
}

export interface HeartbeatHandle {
  readonly kind: 'handle';
  readonly handle: number;
  readonly durationMs: number;
  readonly remainingMs: number;
}

export interface HeartbeatException {
  readonly handle: number;
  readonly sequence: number;
  readonly refusal: 'NOT_ATTACHED' | 'ENDING' | 'LOST' | 'MOVED';
}

export interface HeartbeatLoss {
  readonly handle: number;
  readonly reason: LossReason;
  readonly holder: string;
  readonly fencingToken: bigint;
  /** For a revoke with grace: beats count for this long yet. */
  readonly graceMs: number | undefined;
}

export type LossReason = 'EXPIRED' | 'RELEASED' | 'REVOKED' | 'DELETED' | 'MOVED';
