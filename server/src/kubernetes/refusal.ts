import type { LeaseError } from '@leasehold/core';
import { badRequest, StatusError } from './status.js';

/**
 * What a refusal of the domain is here that is about no lease in particular: there is no coordinator to talk to, a bound is reached, the
 * request is wrong in itself. `undefined`: it is another one, which whoever asked has to translate.
 */
export function generalRefusal({ code, message }: LeaseError): StatusError | undefined {
  const soon = { details: { retryAfterSeconds: 1 } };
  switch (code) {
    case 'UNAVAILABLE':
      return new StatusError(503, 'ServiceUnavailable', message, soon);
    case 'RESOURCE_EXHAUSTED':
      return new StatusError(429, 'TooManyRequests', message, soon);
    case 'INVALID_ARGUMENT':
      return badRequest(message);
    default:
      return undefined;
  }
}
