import type { Change, CommittedChange } from './change.js';
import type { Answer, AnswerOfCommit, Claim } from './commands.js';
import type { LeaseError } from './errors.js';
import type { LeaseRecord } from './record.js';

/** What a command leads to. */
export type Decision =
  /** A change to commit; the answer is made from what was committed. */
  | ChangeDecision
  /** Nothing changes. */
  | { readonly kind: 'answer'; readonly answer: Answer }
  | { readonly kind: 'refuse'; readonly error: LeaseError }
  /** The caller waits in the queue. */
  | { readonly kind: 'queue' }
  /** Time is up for this lease, but that has to be committed first: decide again after it. */
  | { readonly kind: 'await' };

export interface ChangeDecision {
  readonly kind: 'change';
  readonly change: Change;
  readonly answer: AnswerOfCommit;
  /** The waiter whom the change grants the lease. */
  readonly grantedTo: Claim | undefined;
  /** Whether the caller itself begins a tenure by it. */
  readonly grantsCaller: boolean;
  /** Whether the living tenure may end by it: heartbeats are neither taken nor refused until the outcome is known. */
  readonly ends: boolean;
  /** The instant from which the tenure is renewed by it: `commit`, or when the request had been read. */
  readonly renews: RenewedFrom | undefined;
}

export type RenewedFrom = { readonly from: 'commit' } | { readonly from: 'read'; readonly atMs: number };

/** A change without the rarer parts. */
export function changing(change: Change, answer: AnswerOfCommit, parts: Partial<ChangeDecision> = {}): ChangeDecision {
  return { kind: 'change', change, answer, grantedTo: undefined, grantsCaller: false, ends: false, renews: undefined, ...parts };
}

/** Nothing to do, nobody to tell. */
export const nothing: Decision = { kind: 'answer', answer: { kind: 'done' } };

export function refuse(error: LeaseError): Decision {
  return { kind: 'refuse', error };
}

/** The record that a commit left behind. */
export function recordOf(committed: CommittedChange): LeaseRecord {
  if (committed.record === undefined) {
    throw new Error(`Commit ${committed.key}: there is a record after it, got none`);
  }
  return committed.record;
}
