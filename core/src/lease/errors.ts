/**
 * The one error of the domain. `reason` is stable and part of the contract; `code` is the gRPC status it becomes.
 */
export class LeaseError extends Error {
  override readonly name = 'LeaseError';
  readonly reason: ErrorReason;
  readonly detail: ErrorDetail;

  constructor(reason: ErrorReason, message: string, detail: ErrorDetail = {}, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
    this.detail = detail;
  }

  get code(): StatusName {
    return statusOf[this.reason];
  }
}

/** Data of an error; what does not apply is left out. */
export interface ErrorDetail {
  readonly namespace?: string;
  readonly name?: string;
  /** Who holds the lease now, or held it last. */
  readonly holder?: string;
  /** The newest fencing token of the lease. */
  readonly fencingToken?: bigint;
  /** Time left of the tenure, or of what else is in the way. */
  readonly remainingMs?: number;
  readonly resourceVersion?: bigint;
  /** The oldest revision that a watch can start from. */
  readonly oldestRevision?: bigint;
  /** Bad input: the field, in the words of the contract. */
  readonly field?: string;
}

export type StatusName =
  | 'INVALID_ARGUMENT'
  | 'NOT_FOUND'
  | 'ALREADY_EXISTS'
  | 'FAILED_PRECONDITION'
  | 'ABORTED'
  | 'OUT_OF_RANGE'
  | 'RESOURCE_EXHAUSTED'
  | 'UNAVAILABLE'
  | 'CANCELLED';

/** Why a command was refused. Stable: clients decide on it. */
export type ErrorReason =
  | 'INVALID_FIELD'
  | 'LEASE_NOT_FOUND'
  | 'LEASE_EXISTS'
  | 'LEASE_LOST'
  | 'LEASE_EXPIRED'
  | 'LEASE_HELD'
  | 'LEASE_REVOKED'
  | 'NAME_RESERVED'
  | 'NOT_WAITING'
  | 'STALE_VERSION'
  | 'REPLACED'
  | 'REVISION_COMPACTED'
  | 'REVISION_UNKNOWN'
  | 'REVISION_IN_FUTURE'
  | 'LIMIT_EXCEEDED'
  | 'STORE_FULL'
  | 'DRAINING'
  | 'OUTCOME_UNKNOWN'
  | 'STORE_UNAVAILABLE'
  | 'CALLER_GONE';

const statusOf: Readonly<Record<ErrorReason, StatusName>> = {
  INVALID_FIELD: 'INVALID_ARGUMENT',
  LEASE_NOT_FOUND: 'NOT_FOUND',
  LEASE_EXISTS: 'ALREADY_EXISTS',
  LEASE_LOST: 'FAILED_PRECONDITION',
  LEASE_EXPIRED: 'FAILED_PRECONDITION',
  LEASE_HELD: 'FAILED_PRECONDITION',
  LEASE_REVOKED: 'FAILED_PRECONDITION',
  NAME_RESERVED: 'FAILED_PRECONDITION',
  NOT_WAITING: 'FAILED_PRECONDITION',
  STALE_VERSION: 'ABORTED',
  REPLACED: 'ABORTED',
  REVISION_COMPACTED: 'OUT_OF_RANGE',
  REVISION_UNKNOWN: 'OUT_OF_RANGE',
  REVISION_IN_FUTURE: 'OUT_OF_RANGE',
  LIMIT_EXCEEDED: 'RESOURCE_EXHAUSTED',
  STORE_FULL: 'RESOURCE_EXHAUSTED',
  DRAINING: 'UNAVAILABLE',
  OUTCOME_UNKNOWN: 'UNAVAILABLE',
  STORE_UNAVAILABLE: 'UNAVAILABLE',
  CALLER_GONE: 'CANCELLED',
};

/** Every reason there is. */
export const errorReasons: readonly ErrorReason[] = Object.keys(statusOf) as ErrorReason[];

/** A value that a caller sent and that breaks a rule. */
export function invalidField(field: string, rule: string, value: unknown): LeaseError {
  return new LeaseError('INVALID_FIELD', `Invalid ${field}: ${rule}, got ${show(value)}`, { field });
}

/** A bound that was reached. */
export function limitExceeded(what: string, limit: number, value?: number): LeaseError {
  const got = value === undefined ? '' : `, got ${value}`;
  return new LeaseError('LIMIT_EXCEEDED', `Limit exceeded: at most ${limit} ${what}${got}`);
}

/** Nothing was changed, for want of room. */
export function storeFull(cause?: Error): LeaseError {
  return new LeaseError('STORE_FULL', 'Store is full: nothing was changed', {}, { cause });
}

function show(value: unknown): string {
  if (typeof value === 'string') {
    return JSON.stringify(value.length > 80 ? `${value.slice(0, 80)}…` : value);
  }
  return String(value);
}
