import type { CommittedChange, LeaseEvent } from '../lease/change.js';
import type { AnswerTo, Command } from '../lease/commands.js';
import type { LeaseError } from '../lease/errors.js';
import type { LeaseRecord } from '../lease/record.js';
import type { Selector } from '../lease/selectors.js';

/**
 * What transports see of the coordinator. Everything that changes a lease is `submit`; a heartbeat is `beat`, answered from memory.
 */
export interface LeaseCoordinator {
  /** The clock whose `monotonicMs` stamps requests (`readAtMs`). */
  monotonicMs(): number;

  /**
   * Submits a command. Resolves once its effect, or the state its answer follows from, is committed.
   *
   * @throws {LeaseError} the promise rejects with the refusal.
   */
  submit<C extends Command>(command: C, caller?: Caller): Promise<AnswerTo<C['kind']>>;

  /**
   * Resolves once what is read from memory is no older than this call, where several servers share the leases; at once where not.
   *
   * @throws {LeaseError} `STORE_UNAVAILABLE`: nobody knows.
   */
  catchUp(): Promise<void>;

  /** Reads one lease. @throws {LeaseError} `LEASE_NOT_FOUND`. */
  get(namespace: string, name: string): LeaseView;

  /** Reads a page of leases, in the order of namespace and name. @throws {LeaseError} */
  list(query: ListQuery): ListPage;

  /** The namespaces that have leases, in their order. @throws {LeaseError} */
  namespaces(): readonly string[];

  /** All leases of a namespace, or of all when it is empty, in the order of namespace and name. @throws {LeaseError} */
  records(namespace: string): readonly LeaseRecord[];

  /**
   * The same as they were at a revision. One ahead of this server is waited for, as `reach` does.
   *
   * @throws {LeaseError} `REVISION_COMPACTED` when the history kept does not tell, `REVISION_UNKNOWN` when it was never issued here.
   */
  recordsAt(namespace: string, revision: bigint): Promise<readonly LeaseRecord[]>;

  /** Resolves once this server has come to a revision; waits 3 s for it. @throws {LeaseError} `REVISION_IN_FUTURE` */
  reach(revision: bigint): Promise<void>;

  /** How much longer a held lease stays held; `undefined` when it is not held. */
  remainingMs(record: LeaseRecord): number | undefined;

  /** The last committed revision. */
  readonly revision: bigint;

  /** Starts a watch; `sink` gets an empty message with the starting revision first, or an end. */
  watch(request: WatchQuery, sink: WatchSink): Watch;

  /**
   * Attaches a held lease to a stream of heartbeats; it counts as a renewal. Rejects as Renew would. A change of the lease in flight
   * is waited for.
   */
  attach(request: AttachRequest, listener: AttachmentListener): Promise<Attachment>;

  /** Renews an attached lease from memory. `readAtMs`: when the beat's bytes had been read. */
  beat(attachment: Attachment, readAtMs: number): BeatResult;

  /** Ends an attachment. The lease lives on. */
  detach(attachment: Attachment): void;

  /**
   * Refuses everything new, answers waiters, commits what is queued, ends watches, leaves the note and closes the store. Without a
   * note when the store fails meanwhile: then the next start counts in full.
   */
  drain(): Promise<void>;
}

/** Who waits for an answer. */
export interface Caller {
  /** Whether the caller is known to be gone, so that a grant to it is taken back. */
  readonly gone: boolean;
  /** Calls `action` when the caller goes. */
  onGone(action: () => void): void;
}

/** A lease with what is live about it. */
export interface LeaseView {
  readonly record: LeaseRecord;
  readonly remainingMs: number | undefined;
}

export interface ListQuery {
  /** Empty: all namespaces. */
  readonly namespace: string;
  readonly selector: Selector;
  readonly pageSize: number;
  readonly pageToken: string;
}

export interface ListPage {
  readonly leases: readonly LeaseView[];
  /** Empty: this was the last page. */
  readonly nextPageToken: string;
  /** The revision of the first page. */
  readonly revision: bigint;
}

export interface WatchQuery {
  /** Empty: all namespaces. */
  readonly namespace: string;
  /** Empty: all names. */
  readonly name: string;
  readonly selector: Selector;
  /** The last revision seen; 0: now. */
  readonly fromRevision: bigint;
  readonly includeRenewals: boolean;
}

/** Where a watch writes. */
export interface WatchSink {
  /** Takes a message; `false`: it wants no more until `Watch.resume` is called. It is taken all the same. */
  write(message: WatchMessage): boolean;
  /** The watch is over. */
  end(error: LeaseError): void;
}

/** Events in the order of their revisions, or a bookmark. */
export interface WatchMessage {
  readonly events: readonly WatchEvent[];
  /** Everything up to here was sent. */
  readonly revision: bigint;
}

export interface WatchEvent extends LeaseEvent {
  readonly revision: CommittedChange['revision'];
  readonly wasSelected: boolean;
  /** Of a lease that has left the selection, as it was in it; `undefined`: that is not known any more. */
  readonly before?: LeaseRecord | undefined;
}

export interface Watch {
  /** The sink can take messages again. */
  resume(): void;
  /** Ends the watch; its sink hears nothing more. */
  close(): void;
}

export interface AttachRequest {
  readonly namespace: string;
  readonly name: string;
  readonly holder: string;
  readonly fencingToken: bigint;
  readonly readAtMs: number;
}

/** A held lease on a stream of heartbeats. Opaque but for what is listed. */
export interface Attachment {
  readonly fencingToken: bigint;
  /** The duration in force. */
  readonly durationMs: number;
}

/** What a stream of heartbeats hears about its leases. */
export interface AttachmentListener {
  /** The lease is lost, or, with a grace, soon will be. Without a grace the attachment is over. */
  onLoss(attachment: Attachment, loss: Loss): void;
  /** The duration grew; the next acknowledgement grants the new one. */
  onDuration(attachment: Attachment, durationMs: number): void;
}

export interface Loss {
  /** `MOVED`: the tenure goes on, but another server keeps it now. */
  readonly reason: 'EXPIRED' | 'RELEASED' | 'REVOKED' | 'DELETED' | 'MOVED';
  /** Who holds the lease now; empty: nobody. */
  readonly holder: string;
  readonly fencingToken: bigint;
  /** Beats count for this long yet. */
  readonly graceMs: number | undefined;
}

/** `renewed`: the deadline moved. `ending`: a change that may end the tenure is in flight. `lost`: the attachment is over. */
export type BeatResult = 'renewed' | 'ending' | 'lost';
