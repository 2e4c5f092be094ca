import { Metadata, status as codes, type ServiceError } from '@grpc/grpc-js';
import { LeaseError, type ErrorDetail } from '@leasehold/core';
import { BadRequest, ErrorInfo } from '@leasehold/proto/google/rpc/error_details';
import { Status } from '@leasehold/proto/google/rpc/status';
import { LeaseErrorDetail } from '@leasehold/proto/leasehold/v1/errors';
import type { FaultLog } from './context.js';
import { toOptionalDuration } from './convert.js';

/** Bytes of a status with its details. Clients refuse larger ones, or hang on them. */
export const statusBytesMax = 4096;

/**
 * The gRPC status of a refusal, as it also stands inside of messages: its code, its message, and as details an `ErrorInfo` with the
 * stable reason, a `LeaseErrorDetail` with what is known about the lease, and for bad input a `BadRequest` that names the field.
 */
export function toStatus(error: LeaseError): Status {
  const message = shorten(error.message, messageBytesMax);
  return { code: codes[error.code], message, details: detailsOf(error, message) };
}

/**
 * The error that ends a call. What is not a `LeaseError` is a fault of this server: logged here, once, and shown to the client as
 * INTERNAL without a word about it.
 */
export function toServiceError(error: unknown, log: FaultLog): ServiceError {
  const status = toRefusal(error, log);
  const code = error instanceof LeaseError ? codes[error.code] : codes.INTERNAL;
  const metadata = new Metadata();
  if (status.details.length > 0) {
    metadata.set('grpc-status-details-bin', Buffer.from(Status.encode(status).finish()));
  }
  return Object.assign(new Error(status.message), { code, details: status.message, metadata });
}

/** The status of whatever was thrown, where it is told inside of a message; otherwise as `toServiceError`. */
export function toRefusal(error: unknown, log: FaultLog): Status {
  if (error instanceof LeaseError) {
    return toStatus(error);
  }
  log.error({ err: error }, 'A call failed unexpectedly');
  return { code: codes.INTERNAL, message: 'Internal error', details: [] };
}

const domain = 'leasehold';

const messageBytesMax = 512;

/** Bytes of one string in the details: a valid one is never longer by default. */
const stringBytesMax = 512;

type Any = Status['details'][number];

function detailsOf({ reason, detail }: LeaseError, message: string): Any[] {
  const field = detail.field === undefined ? undefined : shorten(detail.field, stringBytesMax);
  const info = ErrorInfo.encode({ reason, domain, metadata: field === undefined ? {} : { field } }).finish();
  const details = [any('google.rpc.ErrorInfo', info)];
  if (field !== undefined) {
    const violation = { field, description: message, reason, localizedMessage: undefined };
    details.push(any('google.rpc.BadRequest', BadRequest.encode({ fieldViolations: [violation] }).finish()));
  }
  if (saysMoreThanField(detail)) {
    details.push(any('leasehold.v1.LeaseErrorDetail', LeaseErrorDetail.encode(toLeaseErrorDetail(detail)).finish()));
  }
  return details;
}

function toLeaseErrorDetail(detail: ErrorDetail): LeaseErrorDetail {
  return {
    namespace: shorten(detail.namespace ?? '', stringBytesMax),
    name: shorten(detail.name ?? '', stringBytesMax),
    holder: shorten(detail.holder ?? '', stringBytesMax),
    fencingToken: detail.fencingToken ?? 0n,
    remaining: toOptionalDuration(detail.remainingMs),
    resourceVersion: detail.resourceVersion ?? 0n,
    oldestRevision: detail.oldestRevision ?? 0n,
  };
}

function saysMoreThanField(detail: ErrorDetail): boolean {
  return Object.entries(detail).some(([key, value]) => key !== 'field' && value !== undefined);
}

function any(type: string, value: Uint8Array): Any {
  return { typeUrl: `type.googleapis.com/${type}`, value: Buffer.from(value) };
}

/** Cuts a text to so many bytes of UTF-8, and replaces what UTF-8 cannot say, on which the encoding of a status would fail. */
function shorten(text: string, bytesMax: number): string {
  const clean = text.replace(/\p{Surrogate}/gu, '\uFFFD');
  if (Buffer.byteLength(clean) <= bytesMax) {
    return clean;
  }
  const cut = Buffer.from(clean).subarray(0, bytesMax - 3);
  return `${new TextDecoder().decode(cut, { stream: true })}…`;
}
