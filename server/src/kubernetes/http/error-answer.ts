import { encode, type Representation } from '../codec/encode.js';
import { warningHeader } from '../codec/warnings.js';
import { chooseFormat } from '../negotiate.js';
import type { ApiAnswer, ApiRequest } from '../request.js';
import { StatusError, type Failure } from '../status.js';

/** Where faults of this server are logged. */
export interface FaultLog {
  error(fields: Readonly<Record<string, unknown>>, message: string): void;
}

/** The headers of the request that is answered. */
export type Headers = ApiRequest['header'];

/**
 * The answer to a request that failed: a Status object. What is not a `StatusError` is a fault of this server: logged here, once, and
 * shown to the client as 500 without a word about it.
 */
export function errorAnswer(error: unknown, log: FaultLog, header?: Headers): ApiAnswer {
  if (error instanceof StatusError) {
    const answer = statusAnswer(error.status, header);
    const { warnings } = error;
    return warnings.length === 0 ? answer : { ...answer, headers: { ...answer.headers, warning: warningHeader(warnings) } };
  }
  log.error({ err: error }, 'A request failed unexpectedly');
  return statusAnswer(new StatusError(500, 'InternalError', 'Internal error occurred').status, header);
}

/** A Status as an answer, with the time to wait that it names, or that its code asks for. */
export function statusAnswer(status: Failure, header: Headers = () => undefined): ApiAnswer {
  const { code, details } = status;
  const retryAfter = details?.retryAfterSeconds ?? (code === 429 || code === 503 ? 1 : undefined);
  const headers = retryAfter === undefined ? {} : { 'retry-after': String(retryAfter) };
  return { code, headers, ...encode(status, representationOf(header)) };
}

/** As the client has asked for it. Who takes nothing that there is gets JSON to be read by people: the failure matters more. */
function representationOf(header: Headers): Representation {
  try {
    return chooseFormat({ header, query: new URLSearchParams() }, () => false);
  } catch {
    return { format: 'json', pretty: true };
  }
}
