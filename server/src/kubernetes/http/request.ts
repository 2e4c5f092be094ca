import type { IncomingMessage } from 'node:http';
import type { ApiRequest } from '../request.js';
import { badRequest } from '../status.js';
import type { Closing } from './closing.js';

/** What a request was read into. */
export interface ReadBody {
  readonly body: Uint8Array;
  /** Monotonic instant at which it had been read. */
  readonly readAtMs: number;
}

/** A request as it came over HTTP/1.1 or HTTP/2. */
export class HttpRequest implements ApiRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly body: Uint8Array;
  readonly readAtMs: number;
  readonly header: (name: string) => string | undefined;
  readonly #closing: Closing;
  #signal: AbortSignal | undefined;

  /** @throws {StatusError} 400: the URL cannot be decoded, or there are two hosts. */
  constructor(raw: IncomingMessage, { body, readAtMs }: ReadBody, closing: Closing) {
    checkHost(raw);
    const url = (raw.url ?? '/').replace(schemeAndHost, '');
    const mark = url.indexOf('?');
    this.method = raw.method ?? 'GET';
    this.path = readPath(mark === -1 ? url : url.slice(0, mark));
    this.query = new URLSearchParams(mark === -1 ? '' : url.slice(mark + 1));
    this.body = body;
    this.readAtMs = readAtMs;
    this.header = headerOf(raw);
    this.#closing = closing;
  }

  // Made for those who ask: most requests are answered before anybody could go.
  get signal(): AbortSignal {
    if (this.#signal === undefined) {
      const controller = new AbortController();
      this.#signal = controller.signal;
      this.#closing.onClose(() => controller.abort());
    }
    return this.#signal;
  }
}

/** Reads the headers of a request by their names in lower case. */
export function headerOf({ headers }: IncomingMessage): (name: string) => string | undefined {
  return (name) => {
    const value = headers[name];
    return Array.isArray(value) ? value.join(', ') : value;
  };
}

/**
 * Two hosts are one for whoever is in between and another one for whoever answers (RFC 9112, 3.2).
 *
 * @throws {StatusError} 400
 */
function checkHost({ httpVersionMajor, rawHeaders }: IncomingMessage): void {
  if (httpVersionMajor > 1) return;
  let count = 0;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] ?? '';
    if (name.length === 4 && name.toLowerCase() === 'host') count += 1;
  }
  if (count > 1) throw badRequest('too many Host headers');
}

/** In front of the path where a client talks as if to a proxy. */
const schemeAndHost = /^https?:\/\/[^/?]*/i;

function readPath(encoded: string): string {
  const path = encoded.includes('%') ? decode(encoded) : encoded;
  return path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path;
}

function decode(encoded: string): string {
  try {
    return decodeURIComponent(encoded);
  } catch {
    throw badRequest(`the path ${JSON.stringify(encoded)} is not percent-encoded UTF-8`);
  }
}
