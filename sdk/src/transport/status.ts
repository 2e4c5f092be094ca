import { status, type ServiceError } from '@grpc/grpc-js';
import { BadRequest, ErrorInfo } from '@leasehold/proto/google/rpc/error_details';
import { Status } from '@leasehold/proto/google/rpc/status';
import { LeaseErrorDetail } from '@leasehold/proto/leasehold/v1/errors';
import {
  ConflictError,
  type ErrorData,
  type ErrorInit,
  InvalidError,
  LeaseExpiredError,
  LeaseholdError,
  LeaseLostError,
  LeaseNotFoundError,
  RefusedError,
  UnavailableError,
  WatchExpiredError,
} from '../errors.js';
import { toOptionalMs } from './convert.js';

/**
 * A failed call as a typed error. The status says the kind, the `ErrorInfo` in its details the reason, and the
 * `LeaseErrorDetail` the data; without details, as from a proxy, the status alone decides.
 */
export function fromServiceError(error: ServiceError): LeaseholdError {
  const packed = error.metadata.get('grpc-status-details-bin').at(-1);
  const details = packed instanceof Buffer ? decodeStatus(packed) : undefined;
  return typedError({ code: nameOf(error.code), message: error.details, ...readDetails(details?.details ?? []) }, error);
}

/** The status of one part of an answer (a renewal in a batch, an attach) as a typed error. */
export function fromStatus(answer: Status): LeaseholdError {
  return typedError({ code: nameOf(answer.code), message: answer.message, ...readDetails(answer.details) });
}

/** What a server says of a failure. Without a reason, the status alone decides. */
export interface Failure {
  /** The status, as a word. */
  readonly code: string;
  readonly reason: string;
  readonly message: string;
  readonly data: ErrorData;
}

/** A failure as a typed error, however it was told. */
export function typedError({ code, reason, message, data }: Failure, cause?: unknown): LeaseholdError {
  const what = { code, reason: reason === '' ? code : reason, message: `${code}: ${message}`, data };
  const options = cause === undefined ? {} : { cause };
  // A server that is killed resets its streams, which grpc-js reports as INTERNAL: nothing but an outage.
  const reset = code === 'INTERNAL' && reason === '' && message.includes('RST_STREAM');
  return (byReason[reason] ?? (reset ? unavailable : byCode[code]) ?? other)(what, options);
}

type Details = Status['details'];

function nameOf(code: number): string {
  return status[code] ?? 'UNKNOWN';
}

type Make = (what: ErrorInit, options: ErrorOptions) => LeaseholdError;

const lost: Make = (what, options) => new LeaseLostError(what, options);
const refused: Make = (what, options) => new RefusedError(what, options);
const unavailable: Make = (what, options) => new UnavailableError({ ...what, retryable: true }, options);
const other: Make = (what, options) => new LeaseholdError(what, options);

/** Reasons that say more than their status does. */
const byReason: Readonly<Partial<Record<string, Make>>> = {
  LEASE_LOST: lost,
  LEASE_REVOKED: lost,
  LEASE_EXPIRED: (what, options) => new LeaseExpiredError(what, options),
  STALE_VERSION: (what, options) => new ConflictError(what, options),
};

const byCode: Readonly<Partial<Record<string, Make>>> = {
  INVALID_ARGUMENT: (what, options) => new InvalidError(what, options),
  NOT_FOUND: (what, options) => new LeaseNotFoundError(what, options),
  OUT_OF_RANGE: (what, options) => new WatchExpiredError(what, options),
  ALREADY_EXISTS: refused,
  FAILED_PRECONDITION: refused,
  ABORTED: refused,
  PERMISSION_DENIED: refused,
  UNAUTHENTICATED: refused,
  // A limit may have room again later; whether to go on asking is the caller's decision.
  RESOURCE_EXHAUSTED: refused,
  UNAVAILABLE: unavailable,
  DEADLINE_EXCEEDED: unavailable,
  CANCELLED: unavailable,
};

function readDetails(details: Details): { reason: string; data: ErrorData } {
  let reason = '';
  let data: ErrorData = {};
  for (const detail of details) {
    const type = detail.typeUrl.slice(detail.typeUrl.lastIndexOf('/') + 1);
    if (type === 'google.rpc.ErrorInfo') {
      reason = ErrorInfo.decode(detail.value).reason;
    } else if (type === 'leasehold.v1.LeaseErrorDetail') {
      data = { ...data, ...leaseData(LeaseErrorDetail.decode(detail.value)) };
    } else if (type === 'google.rpc.BadRequest') {
      const field = BadRequest.decode(detail.value).fieldViolations[0]?.field;
      if (field !== undefined) data = { ...data, field };
    }
  }
  return { reason, data };
}

function leaseData(detail: LeaseErrorDetail): ErrorData {
  const remainingMs = toOptionalMs(detail.remaining);
  return {
    ...(detail.namespace === '' ? {} : { namespace: detail.namespace }),
    ...(detail.name === '' ? {} : { name: detail.name }),
    ...(detail.holder === '' ? {} : { holder: detail.holder }),
    ...(detail.fencingToken === 0n ? {} : { fencingToken: detail.fencingToken }),
    ...(remainingMs === undefined ? {} : { remainingMs }),
    ...(detail.resourceVersion === 0n ? {} : { resourceVersion: detail.resourceVersion }),
    ...(detail.oldestRevision === 0n ? {} : { oldestRevision: detail.oldestRevision }),
  };
}

function decodeStatus(packed: Buffer): Status | undefined {
  try {
    return Status.decode(packed);
  } catch {
    // Details that cannot be read come from something else than a Leasehold server; the status itself still counts.
    return undefined;
  }
}
