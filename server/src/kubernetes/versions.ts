import { LeaseError, type LeaseCoordinator } from '@leasehold/core';
import { goQuote } from './codec/go-quote.js';
import type { ApiRequest } from './request.js';
import { StatusError } from './status.js';

/**
 * A resource version as clients write it.
 *
 * @param refuse makes the refusal of a text that is none, out of why it is none in the words of Go.
 */
export function parseVersion(text: string, refuse: (why: string) => StatusError): bigint {
  const problem = !/^\d+$/.test(text) ? 'invalid syntax' : isTooLarge(text) ? 'value out of range' : undefined;
  if (problem !== undefined) throw refuse(`strconv.ParseUint: parsing ${goQuote(text)}: ${problem}`);
  return BigInt(text);
}

/** Whether a text is a resource version. */
export function isVersion(text: string): boolean {
  return /^\d+$/.test(text) && !isTooLarge(text);
}

/**
 * The resource version of a query: 0 if none is asked for.
 *
 * @throws {StatusError} 500, as kube-apiserver has it: it is none.
 */
export function queriedVersion(text: string): bigint {
  if (text === '') return 0n;
  return parseVersion(text, (why) => new StatusError(500, '', badQueriedVersion(text, why)));
}

/** Why the resource version of a query is none. */
export function badQueriedVersion(text: string, why: string): string {
  return `resourceVersion: Invalid value: ${goQuote(text)}: ${why}`;
}

/** Whoever reads and names a version is content with what this server has come to; everybody else is answered with what there is. */
export async function catchUp(
  coordinator: LeaseCoordinator,
  { method, query }: Pick<ApiRequest, 'method' | 'query'>,
): Promise<void> {
  const isContent = method === 'GET' && (query.get('resourceVersion') ?? '') !== '';
  if (!isContent) await coordinator.catchUp();
}

/** Waits a moment for a version that there has not been yet. @throws {StatusError} 504: it does not come. */
export async function awaitVersion(coordinator: LeaseCoordinator, version: bigint): Promise<void> {
  try {
    await coordinator.reach(version);
  } catch (error) {
    const isAhead = error instanceof LeaseError && error.reason === 'REVISION_IN_FUTURE';
    throw isAhead ? tooLargeVersion(version, coordinator.revision) : error;
  }
}

/** 504: there has not been such a version here yet. */
export function tooLargeVersion(version: bigint, current: bigint): StatusError {
  return new StatusError(504, 'Timeout', `Timeout: Too large resource version: ${version}, current: ${current}`, {
    details: {
      causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }],
      retryAfterSeconds: 1,
    },
  });
}

/** Digits by the million take their time, and a body has room for them. */
function isTooLarge(digits: string): boolean {
  if (digits.length < 20) return false;
  const significant = digits.replace(/^0+/, '');
  return significant.length > 20 || BigInt(significant) > versionMax;
}

const versionMax = 2n ** 64n - 1n;
