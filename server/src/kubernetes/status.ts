import { goQuote } from './codec/go-quote.js';

/** Why a request failed, in the words of Kubernetes (meta/v1 StatusReason). */
export type StatusReason =
  | 'AlreadyExists'
  | 'BadRequest'
  | 'Conflict'
  | 'Expired'
  | 'Forbidden'
  | 'InternalError'
  | 'Invalid'
  | 'MethodNotAllowed'
  | 'NotAcceptable'
  | 'NotFound'
  | 'RequestEntityTooLarge'
  | 'ServiceUnavailable'
  | 'Timeout'
  | 'TooManyRequests'
  | 'Unauthorized'
  | 'UnsupportedMediaType'
  | '';

/** A Status object as clients read it (meta/v1 Status). */
export interface Status {
  readonly kind: 'Status';
  readonly apiVersion: 'v1';
  readonly metadata: { readonly continue?: string };
  readonly status: 'Success' | 'Failure';
  readonly message?: string;
  readonly reason?: StatusReason;
  readonly details?: StatusDetails;
  /** Of a failure always. */
  readonly code?: number;
}

/** A Status that tells of a failure. */
export type Failure = Status & { readonly code: number };

/** What a failure is about. */
export interface StatusDetails {
  readonly name?: string;
  readonly group?: string;
  readonly kind?: string;
  readonly uid?: string;
  readonly causes?: readonly StatusCause[];
  readonly retryAfterSeconds?: number;
}

/** One of the causes of a failure. */
export interface StatusCause {
  readonly reason?: string;
  readonly message?: string;
  readonly field?: string;
}

/** A request that failed: what it is answered with. Everything that a handler throws on purpose is one of these. */
export class StatusError extends Error {
  override readonly name = 'StatusError';
  readonly status: Failure;
  /** What the client is warned of besides, for the `Warning` header. */
  warnings: readonly string[] = [];

  constructor(code: number, reason: StatusReason, message: string, more: { details?: StatusDetails; continue?: string } = {}) {
    super(message);
    this.status = {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: more.continue === undefined ? {} : { continue: more.continue },
      status: 'Failure',
      message,
      ...(reason === '' ? {} : { reason }),
      ...(more.details === undefined ? {} : { details: more.details }),
      code,
    };
  }
}

/** A refusal with what the client was to be warned of before it came to that. Whatever else was thrown stays what it is. */
export function warned(error: unknown, warnings: readonly string[]): unknown {
  if (error instanceof StatusError) error.warnings = [...warnings, ...error.warnings];
  return error;
}

/** 400: the request is wrong in itself. */
export function badRequest(message: string): StatusError {
  return new StatusError(400, 'BadRequest', message);
}

/** 404: there is no such lease. */
export function leaseNotFound(name: string): StatusError {
  return new StatusError(404, 'NotFound', `${resource} ${goQuote(name)} not found`, { details: { name, ...ofLeases } });
}

/** 409: there is one already. */
export function leaseExists(name: string): StatusError {
  return new StatusError(409, 'AlreadyExists', `${resource} ${goQuote(name)} already exists`, { details: { name, ...ofLeases } });
}

/** 409: the lease is not, or not any more, as the caller thinks. */
export function leaseConflict(name: string, why: string, causes?: readonly StatusCause[]): StatusError {
  const message = `Operation cannot be fulfilled on ${resource} "${name}": ${why}`;
  return new StatusError(409, 'Conflict', message, {
    details: { name, ...ofLeases, ...(causes === undefined ? {} : { causes }) },
  });
}

/** 422: fields of the lease break rules. */
export function leaseInvalid(name: string, causes: readonly Required<StatusCause>[]): StatusError {
  return objectInvalid({ group: 'coordination.k8s.io', kind: 'Lease' }, name, causes);
}

/** 422: fields of an object break rules. */
export function objectInvalid(
  { group, kind }: { readonly group: string; readonly kind: string },
  name: string,
  causes: readonly Required<StatusCause>[],
): StatusError {
  // Kubernetes checks some things more than once; the message says each once.
  const parts = [...new Set(causes.map(({ field, message }) => `${field}: ${message}`))];
  const all = parts.length === 1 ? parts[0] : `[${parts.join(', ')}]`;
  const details = { ...(name === '' ? {} : { name }), ...(group === '' ? {} : { group }), kind, causes };
  const what = group === '' ? kind : `${kind}.${group}`;
  return new StatusError(422, 'Invalid', `${what} "${name}" is invalid: ${all}`, { details });
}

const resource = 'leases.coordination.k8s.io';
const ofLeases = { group: 'coordination.k8s.io', kind: 'leases' } as const;
