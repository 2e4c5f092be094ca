import { Metadata, status, type ServiceError } from '@grpc/grpc-js';
import { BadRequest, ErrorInfo } from '@leasehold/proto/google/rpc/error_details';
import { Status } from '@leasehold/proto/google/rpc/status';
import { LeaseErrorDetail } from '@leasehold/proto/leasehold/v1/errors';
import { LeaseholdError } from '@leasehold/sdk';
import { describe, expect, it } from 'vitest';
import { toDuration, toMs } from '../../sdk/dist/transport/convert.js';
import { fromServiceError } from '../../sdk/dist/transport/status.js';

type Details = Status['details'];

function serviceError(code: status, reason?: string, more: Details = []): ServiceError {
  const metadata = new Metadata();
  if (reason !== undefined) {
    const info = ErrorInfo.encode({ reason, domain: 'leasehold', metadata: {} }).finish();
    const details = [{ typeUrl: 'type.googleapis.com/google.rpc.ErrorInfo', value: Buffer.from(info) }, ...more];
    metadata.set('grpc-status-details-bin', Buffer.from(Status.encode({ code, message: 'text', details }).finish()));
  }
  return Object.assign(new Error('text'), { code, details: 'text', metadata });
}

describe('a failed call', () => {
  it.each([
    [status.FAILED_PRECONDITION, 'LEASE_LOST', 'LeaseLostError', false],
    [status.FAILED_PRECONDITION, 'LEASE_REVOKED', 'LeaseLostError', false],
    [status.FAILED_PRECONDITION, 'LEASE_EXPIRED', 'LeaseExpiredError', false],
    [status.FAILED_PRECONDITION, 'LEASE_HELD', 'RefusedError', false],
    [status.FAILED_PRECONDITION, 'NAME_RESERVED', 'RefusedError', false],
    [status.FAILED_PRECONDITION, 'NOT_WAITING', 'RefusedError', false],
    [status.NOT_FOUND, 'LEASE_NOT_FOUND', 'LeaseNotFoundError', false],
    [status.ALREADY_EXISTS, 'LEASE_EXISTS', 'RefusedError', false],
    [status.ABORTED, 'STALE_VERSION', 'ConflictError', false],
    [status.ABORTED, 'REPLACED', 'RefusedError', false],
    [status.OUT_OF_RANGE, 'REVISION_COMPACTED', 'WatchExpiredError', false],
    [status.OUT_OF_RANGE, 'REVISION_UNKNOWN', 'WatchExpiredError', false],
    [status.OUT_OF_RANGE, 'REVISION_IN_FUTURE', 'WatchExpiredError', false],
    [status.RESOURCE_EXHAUSTED, 'LIMIT_EXCEEDED', 'RefusedError', false],
    [status.RESOURCE_EXHAUSTED, 'STORE_FULL', 'RefusedError', false],
    [status.INVALID_ARGUMENT, 'INVALID_FIELD', 'InvalidError', false],
    [status.UNAVAILABLE, 'DRAINING', 'UnavailableError', true],
    [status.UNAVAILABLE, 'OUTCOME_UNKNOWN', 'UnavailableError', true],
    [status.UNAVAILABLE, 'STORE_UNAVAILABLE', 'UnavailableError', true],
  ])('of status %i and reason %s is a %s #%#', (code, reason, name, retryable) => {
    const error = fromServiceError(serviceError(code, reason));
    expect(error).toBeInstanceOf(LeaseholdError);
    expect(error).toMatchObject({ name, reason, code: status[code], retryable });
    expect(error.message).toContain('text');
    expect(error.cause).toBeInstanceOf(Error);
  });

  it.each([
    [status.UNAVAILABLE, 'UnavailableError'],
    [status.DEADLINE_EXCEEDED, 'UnavailableError'],
    [status.CANCELLED, 'UnavailableError'],
    [status.UNAUTHENTICATED, 'RefusedError'],
    [status.PERMISSION_DENIED, 'RefusedError'],
    [status.INTERNAL, 'LeaseholdError'],
    [status.UNIMPLEMENTED, 'LeaseholdError'],
  ])('of status %i without details is a %s', (code, name) => {
    expect(fromServiceError(serviceError(code))).toMatchObject({ name, code: status[code], reason: status[code] });
  });

  it('carries the data of the lease, tokens as bigint beyond what a double can hold', () => {
    const detail = LeaseErrorDetail.encode({
      namespace: 'n',
      name: 'x',
      holder: 'you',
      fencingToken: 2n ** 53n + 1n,
      remaining: toDuration(1_500),
      resourceVersion: 9n,
      oldestRevision: 0n,
    }).finish();
    const details = [{ typeUrl: 'type.googleapis.com/leasehold.v1.LeaseErrorDetail', value: Buffer.from(detail) }];
    const { data } = fromServiceError(serviceError(status.FAILED_PRECONDITION, 'LEASE_LOST', details));
    const lease = { namespace: 'n', name: 'x', holder: 'you', fencingToken: 9_007_199_254_740_993n };
    expect(data).toEqual({ ...lease, remainingMs: 1_500, resourceVersion: 9n });
  });

  it('names the field of bad input', () => {
    const violation = { field: 'duration', description: '', reason: '', localizedMessage: undefined };
    const value = BadRequest.encode({ fieldViolations: [violation] }).finish();
    const details = [{ typeUrl: 'type.googleapis.com/google.rpc.BadRequest', value: Buffer.from(value) }];
    expect(fromServiceError(serviceError(status.INVALID_ARGUMENT, 'INVALID_FIELD', details)).data).toEqual({ field: 'duration' });
  });

  it('is read by its status alone when its details make no sense', () => {
    const error = serviceError(status.UNAVAILABLE);
    error.metadata.set('grpc-status-details-bin', Buffer.from('nonsense'));
    expect(fromServiceError(error).name).toBe('UnavailableError');
  });

  it('of a stream that was reset with its server is an outage', () => {
    const error = serviceError(status.INTERNAL);
    error.details = 'Received RST_STREAM with code 2 (Internal server error)';
    expect(fromServiceError(error)).toMatchObject({ name: 'UnavailableError', retryable: true });
  });
});

describe('durations', () => {
  it.each([0, 1, 0.5, 999.999, 999.9999999, 1_000, 86_400_000, 31_622_400_000.001])(
    'of %d ms survive the wire to the microsecond',
    (ms) => {
      const duration = toDuration(ms);
      expect(duration.nanos).toBeLessThan(1e9);
      expect(toMs(duration)).toBeCloseTo(ms, 2);
    },
  );
});
