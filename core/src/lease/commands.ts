import type { CommittedChange } from './change.js';
import type { KubernetesPart, KubernetesSpec } from './kubernetes-part.js';
import type { LeaseRecord, StringMap } from './record.js';

/**
 * Everything that can be asked of one lease. Reads that need no order (Get, List) are not commands; Validate is one, so that it
 * waits for the outcome of a change in flight.
 */
export type Command =
  | AcquireCommand
  | RenewCommand
  | ReleaseCommand
  | RevokeCommand
  | ValidateCommand
  | CreateCommand
  | UpdateCommand
  | DeleteCommand
  | WriteCommand
  | ElapseCommand
  | CheckpointCommand
  | AbandonCommand
  | AttendCommand
  | EnlistCommand;

interface OnLease {
  readonly namespace: string;
  readonly name: string;
}

/** Parts of a record that callers write; what is `undefined` stays as it is. */
export interface Metadata {
  readonly labels?: StringMap | undefined;
  readonly annotations?: StringMap | undefined;
  readonly lockDelayMs?: number | undefined;
  readonly keepAfterExpiryMs?: number | undefined;
}

/** What somebody who wants a lease brings along; kept by the queue until its turn. */
export interface Claim extends Metadata {
  readonly holder: string;
  /** Identity of this attempt; empty: the holder's name is the identity. */
  readonly acquireId: string;
  readonly durationMs: number;
}

export interface AcquireCommand extends OnLease {
  readonly kind: 'acquire';
  readonly claim: Claim;
  /** How long to wait in the queue; 0: not at all. */
  readonly waitMs: number;
  readonly priority: number;
}

export interface RenewCommand extends OnLease {
  readonly kind: 'renew';
  readonly holder: string;
  readonly fencingToken: bigint;
  /** Monotonic instant at which the request's bytes had been read: the renewal counts from here. */
  readonly readAtMs: number;
}

export interface ReleaseCommand extends OnLease {
  readonly kind: 'release';
  readonly fencingToken: bigint;
  /** Holder name of a waiter; empty: the first in the queue. */
  readonly transferTo: string;
}

export interface RevokeCommand extends OnLease {
  readonly kind: 'revoke';
  readonly fencingToken: bigint;
  readonly graceMs: number;
  readonly force: boolean;
  readonly transferTo: string;
}

export interface ValidateCommand extends OnLease {
  readonly kind: 'validate';
  readonly fencingToken: bigint;
}

export interface CreateCommand extends OnLease {
  readonly kind: 'create';
  readonly metadata: Metadata;
}

export interface UpdateCommand extends OnLease {
  readonly kind: 'update';
  /** Guard; 0: none. */
  readonly resourceVersion: bigint;
  /** Guard; 0: none. */
  readonly fencingToken: bigint;
  /** Entries to set and values to replace. */
  readonly set: Metadata;
  readonly removeLabels: readonly string[];
  readonly removeAnnotations: readonly string[];
}

export interface DeleteCommand extends OnLease {
  readonly kind: 'delete';
  /** Guard; empty: none. */
  readonly uid: string;
  /** Guard; 0: none. */
  readonly fencingToken: bigint;
  /** Guard; 0: none. */
  readonly resourceVersion: bigint;
  readonly force: boolean;
}

/** A whole object as the Kubernetes API writes it: create, update and all kinds of patches come down to this. */
export interface WriteCommand extends OnLease {
  readonly kind: 'write';
  /** The version that the object was made from; 0: there was none. */
  readonly resourceVersion: bigint;
  readonly spec: KubernetesSpec;
  readonly labels: StringMap;
  readonly annotations: StringMap;
  readonly part: Omit<KubernetesPart, 'spec' | 'deletionTimeMs'>;
  /** Monotonic instant at which the request's bytes had been read: a renewal counts from here. */
  readonly readAtMs: number;
  /** Refuses to take a living lease from its holder. */
  readonly strict: boolean;
  /** Decides, and changes nothing. */
  readonly dryRun: boolean;
}

/** Time has passed: do what is due, if anything still is. Sent by the sweeper alone. */
export interface ElapseCommand extends OnLease {
  readonly kind: 'elapse';
}

/** The record catches up with heartbeats. */
export interface CheckpointCommand extends OnLease {
  readonly kind: 'checkpoint';
  readonly fencingToken: bigint;
  readonly renewTimeMs: number;
}

/** The caller of a new grant was gone when its answer would have been written. */
export interface AbandonCommand extends OnLease {
  readonly kind: 'abandon';
  /** The version of the grant itself. */
  readonly resourceVersion: bigint;
}

/** The holder has a stream of heartbeats to this server, which from now on answers them from its memory. */
export interface AttendCommand extends OnLease {
  readonly kind: 'attend';
  readonly holder: string;
  readonly fencingToken: bigint;
  /** Monotonic instant at which the request's bytes had been read. */
  readonly readAtMs: number;
}

/** Who waits on this server has come or gone: the other servers are to know whether anybody does. */
export interface EnlistCommand extends OnLease {
  readonly kind: 'enlist';
}

/** What the caller of a command gets; a refusal is a `LeaseError` instead. */
export type Answer =
  | { readonly kind: 'granted'; readonly record: LeaseRecord }
  | { readonly kind: 'busy'; readonly busy: BusyLease }
  | { readonly kind: 'renewed'; readonly record: LeaseRecord }
  | { readonly kind: 'released'; readonly record: LeaseRecord; readonly already: boolean }
  | { readonly kind: 'revoked'; readonly record: LeaseRecord; readonly remainingMs: number }
  | { readonly kind: 'validated'; readonly valid: boolean; readonly record: LeaseRecord }
  | { readonly kind: 'written'; readonly record: LeaseRecord }
  | { readonly kind: 'deleted'; readonly record: LeaseRecord; readonly reservedMs: number | undefined }
  | { readonly kind: 'done' };

/** A lease that cannot be granted now. */
export interface BusyLease {
  /** Who holds it; empty while a lock delay or a reservation runs. */
  readonly holder: string;
  readonly fencingToken: bigint;
  readonly remainingMs: number;
  /** Whether a wait in the queue ran out. */
  readonly timedOut: boolean;
}

/** Which answers belong to which command. */
export interface AnswerKinds {
  acquire: 'granted' | 'busy';
  renew: 'renewed';
  release: 'released';
  revoke: 'revoked';
  validate: 'validated';
  create: 'written';
  update: 'written';
  delete: 'deleted';
  write: 'written' | 'deleted';
  elapse: 'done';
  checkpoint: 'done';
  abandon: 'done';
  attend: 'done';
  enlist: 'done';
}

/** The answer to a command of kind `K`. */
export type AnswerTo<K extends Command['kind']> = Extract<Answer, { kind: AnswerKinds[K] }>;

/** Makes the answer once the change is committed. */
export type AnswerOfCommit = (committed: CommittedChange) => Answer;
