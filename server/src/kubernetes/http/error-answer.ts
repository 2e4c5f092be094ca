import type { ApiAnswer } from '../request.js';
import { StatusError, type Failure } from '../status.js';

/** Where faults of this server are logged. */
export interface FaultLog {
  error(fields: Readonly<Record<string, unknown>>, message: string): void;
}

/**
 * The answer to a request that failed: a Status object, always as JSON, which every client reads whatever it asked for. What is not a
 * `StatusError` is a fault of this server: logged here, once, and shown to the client as 500 without a word about it.
 */
export function errorAnswer(error: unknown, log: FaultLog): ApiAnswer {
  if (error instanceof StatusError) {
    return statusAnswer(error.status);
  }
  log.error({ err: error }, 'A request failed unexpectedly');
  return statusAnswer(new StatusError(500, 'InternalError', 'Internal error occurred').status);
}

/** A Status as an answer, with the time to wait that it names, or that its code asks for. */
export function statusAnswer(status: Failure): ApiAnswer {
  const { code, details } = status;
  const retryAfter = details?.retryAfterSeconds ?? (code === 429 || code === 503 ? 1 : undefined);
  const headers = retryAfter === undefined ? {} : { 'retry-after': String(retryAfter) };
  return { code, headers, contentType: 'application/json', body: `${JSON.stringify(status)}\n` };
}
