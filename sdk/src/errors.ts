import type { Busy } from './types.js';

/**
 * Errors, one class for each decision that a caller can take. All of them extend `LeaseholdError`.
 *
 * Busy is not among them: a lease that somebody else has is an ordinary answer.
 */
export class LeaseholdError extends Error {
  /** Name of the class. */
  override readonly name: string = 'LeaseholdError';
  /** The gRPC status, as a word: `FAILED_PRECONDITION`, `UNAVAILABLE` … */
  readonly code: string;
  /** The stable reason, from the server (`LEASE_LOST` …) or from this SDK (`TIMED_OUT`, `CLIENT_CLOSED` …). */
  readonly reason: string;
  /** What the error is about; what does not apply is left out. */
  readonly data: ErrorData;
  /** Whether the same call may succeed later without anything else being done. */
  readonly retryable: boolean;

  /** For transports and test doubles; `options.cause` is what led to it. */
  constructor(what: ErrorInit, options?: ErrorOptions) {
    super(what.message, options);
    this.code = what.code;
    this.reason = what.reason;
    this.data = what.data ?? {};
    this.retryable = what.retryable ?? false;
  }
}

/** What an error is made of. */
export interface ErrorInit {
  /** The gRPC status, as a word. */
  readonly code: string;
  /** The stable reason. */
  readonly reason: string;
  /** A sentence for people, with the values at issue. */
  readonly message: string;
  /** Default: nothing. */
  readonly data?: ErrorData | undefined;
  /** Whether the same call may succeed later. Default: false. */
  readonly retryable?: boolean | undefined;
}

/** Data of an error. */
export interface ErrorData {
  /** Namespace of the lease. */
  readonly namespace?: string;
  /** Name of the lease. */
  readonly name?: string;
  /** Who holds the lease now, or held it last. */
  readonly holder?: string;
  /** The newest fencing token of the lease. */
  readonly fencingToken?: bigint;
  /** Time left of the tenure, or of what else is in the way, in milliseconds. */
  readonly remainingMs?: number;
  /** The version that the record has. */
  readonly resourceVersion?: bigint;
  /** The oldest revision that a watch can start from. */
  readonly oldestRevision?: bigint;
  /** Bad input: the field, in the words of the contract. */
  readonly field?: string;
}

/** The lease is not the caller's any more, or may not be: stop, and acquire again if wanted. */
export class LeaseLostError extends LeaseholdError {
  override readonly name = 'LeaseLostError';
}

/** The lease's time ran out: stop, and acquire again if wanted. */
export class LeaseExpiredError extends LeaseholdError {
  override readonly name = 'LeaseExpiredError';
}

/** The lease may have been lost while the clocks stood still: do nothing with it until a renewal has settled it. */
export class LeaseSuspectError extends LeaseholdError {
  override readonly name = 'LeaseSuspectError';
}

/** No lease of that name exists. */
export class LeaseNotFoundError extends LeaseholdError {
  override readonly name = 'LeaseNotFoundError';
}

/** The record was changed by somebody else in between: read it again and decide again. */
export class ConflictError extends LeaseholdError {
  override readonly name = 'ConflictError';
}

/** No server answered in time, or none could: try again later. The call may have taken effect. */
export class UnavailableError extends LeaseholdError {
  override readonly name = 'UnavailableError';
}

/** The server understood and does not do it: another state, a limit, or a permission is in the way. */
export class RefusedError extends LeaseholdError {
  override readonly name = 'RefusedError';
}

/** The call is wrong in itself: mend the program. `data.field` names the field. */
export class InvalidError extends LeaseholdError {
  override readonly name = 'InvalidError';
}

/** The watch cannot go on from its revision: list again, and watch from there. `data.oldestRevision` says what is kept. */
export class WatchExpiredError extends LeaseholdError {
  override readonly name = 'WatchExpiredError';
}

/** The client was closed. */
export class ClientClosedError extends LeaseholdError {
  override readonly name = 'ClientClosedError';

  /** Takes nothing: there is one way to be closed. */
  constructor() {
    super({ code: 'CANCELLED', reason: 'CLIENT_CLOSED', message: 'The client is closed' });
  }
}

/** Whether a later repeat of the call may succeed. */
export function isRetryable(error: unknown): boolean {
  return error instanceof LeaseholdError && error.retryable;
}

/** Whether the error says that a tenure has ended. */
export function isOver(error: unknown): error is LeaseLostError | LeaseExpiredError | LeaseNotFoundError {
  return error instanceof LeaseLostError || error instanceof LeaseExpiredError || error instanceof LeaseNotFoundError;
}

/** An option that breaks a rule. */
export function invalidOption(field: string, rule: string, value: unknown): InvalidError {
  const message = `Invalid ${field}: ${rule}, got ${String(value)}`;
  return new InvalidError({ code: 'INVALID_ARGUMENT', reason: 'INVALID_FIELD', message, data: { field } });
}

/** A lease that somebody else has, where that is no answer. */
export function busyError(name: string, { holder, fencingToken, remainingMs }: Busy): RefusedError {
  const message = `Acquire ${name}: busy for ${Math.round(remainingMs)} ms, held by ${JSON.stringify(holder)}`;
  const data = { name, holder, fencingToken, remainingMs };
  return new RefusedError({ code: 'FAILED_PRECONDITION', reason: 'LEASE_BUSY', message, data, retryable: true });
}

/** A call that took longer than it was given. */
export function timedOut(what: string, timeoutMs: number, cause?: unknown): UnavailableError {
  const message = `${what}: no answer within ${Math.round(timeoutMs)} ms`;
  return new UnavailableError({ code: 'DEADLINE_EXCEEDED', reason: 'TIMED_OUT', message, retryable: true }, { cause });
}
