import { status as codes } from '@grpc/grpc-js';
import { invalidField, LeaseError, type ErrorReason } from '@leasehold/core';
import { Status } from '@leasehold/proto/google/rpc/status';
import { pino } from 'pino';
import { describe, expect, test } from 'vitest';
import { statusBytesMax, toServiceError, toStatus } from '../../server/dist/grpc/status.js';
import { readRefusal } from './support.js';

const silent = pino({ level: 'silent' });

const codeOf: Record<ErrorReason, number> = {
  INVALID_FIELD: codes.INVALID_ARGUMENT,
  LEASE_NOT_FOUND: codes.NOT_FOUND,
  LEASE_EXISTS: codes.ALREADY_EXISTS,
  LEASE_LOST: codes.FAILED_PRECONDITION,
  LEASE_EXPIRED: codes.FAILED_PRECONDITION,
  LEASE_HELD: codes.FAILED_PRECONDITION,
  LEASE_REVOKED: codes.FAILED_PRECONDITION,
  NAME_RESERVED: codes.FAILED_PRECONDITION,
  NOT_WAITING: codes.FAILED_PRECONDITION,
  STALE_VERSION: codes.ABORTED,
  REPLACED: codes.ABORTED,
  REVISION_COMPACTED: codes.OUT_OF_RANGE,
  REVISION_UNKNOWN: codes.OUT_OF_RANGE,
  REVISION_IN_FUTURE: codes.OUT_OF_RANGE,
  LIMIT_EXCEEDED: codes.RESOURCE_EXHAUSTED,
  STORE_FULL: codes.RESOURCE_EXHAUSTED,
  DRAINING: codes.UNAVAILABLE,
  OUTCOME_UNKNOWN: codes.UNAVAILABLE,
  STORE_UNAVAILABLE: codes.UNAVAILABLE,
  CALLER_GONE: codes.CANCELLED,
};

describe('the status of a refusal', () => {
  test.each(Object.entries(codeOf))('%s has its code, its reason and the domain', (reason, code) => {
    const refusal = readRefusal(toServiceError(new LeaseError(reason as ErrorReason, 'why'), silent));
    expect(refusal).toMatchObject({ code, reason, domain: 'leasehold', message: 'why' });
  });

  test('says what is known about the lease', () => {
    const error = new LeaseError('LEASE_LOST', 'lost', {
      namespace: 'default',
      name: 'a',
      holder: 'other',
      fencingToken: 7n,
      remainingMs: 1500,
      resourceVersion: 9n,
    });
    expect(readRefusal(toServiceError(error, silent)).detail).toEqual({
      namespace: 'default',
      name: 'a',
      holder: 'other',
      fencingToken: 7n,
      remaining: { seconds: 1n, nanos: 500_000_000 },
      resourceVersion: 9n,
      oldestRevision: 0n,
    });
  });

  test('names the field of bad input', () => {
    const refusal = readRefusal(toServiceError(invalidField('holder', 'must have 1 to 512 bytes', ''), silent));
    expect(refusal).toMatchObject({ reason: 'INVALID_FIELD', field: 'holder', detail: undefined });
    expect(refusal.message).toBe('Invalid holder: must have 1 to 512 bytes, got ""');
  });

  test.each([
    ['ASCII', 'x'.repeat(100_000)],
    ['wide characters', '\u{1F600}'.repeat(50_000)],
    ['lone surrogates', '\uD800'.repeat(100_000)],
  ])('stays small with %s', (_, long) => {
    const error = new LeaseError('INVALID_FIELD', long, {
      namespace: long,
      name: long,
      holder: long,
      fencingToken: 2n ** 63n - 1n,
      field: long,
    });
    const status = toStatus(error);
    expect(Status.encode(status).finish().length).toBeLessThanOrEqual(statusBytesMax);
    // What gRPC does to a message; it throws on text that is not well-formed.
    expect(encodeURI(status.message).length).toBeLessThan(2048);
    expect(status.message.endsWith('…')).toBe(true);
  });

  test('of an unexpected error says nothing about it, and it is logged once', () => {
    const lines: string[] = [];
    const log = pino({}, { write: (line: string) => void lines.push(line) });
    const error = toServiceError(new Error('secret path /etc/x'), log);
    expect(error.code).toBe(codes.INTERNAL);
    expect(error.details).toBe('Internal error');
    expect(JSON.stringify(error.metadata.getMap())).not.toContain('secret');
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain('secret path');
  });
});
