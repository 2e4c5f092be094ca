import { goQuote } from '../codec/go-quote.js';
import { StatusError } from '../status.js';

/** 422: a patch that was understood cannot be made on this object. Kubernetes does not say why. */
export function patchRefused(): StatusError {
  return new StatusError(422, 'Invalid', 'the server rejected our request due to an error in our request', { details: {} });
}

/** 500: what Kubernetes has no better answer to than the error itself. */
export function patchFailed(message: string): StatusError {
  return new StatusError(500, '', message);
}

/**
 * 422: what came out of a patch is no lease.
 *
 * @param shown what came out, as text: JSON, or for a strategic merge patch the patch as `goText` shows it.
 * @param why what the one who read it says.
 */
export function patchedUnreadable(shown: string, why: string): StatusError {
  const message = `Invalid value: ${goQuote(shown)}: ${why}`;
  return new StatusError(422, 'Invalid', ` "" is invalid: patch: ${message}`, {
    details: { causes: [{ reason: 'FieldValueInvalid', message, field: 'patch' }] },
  });
}
