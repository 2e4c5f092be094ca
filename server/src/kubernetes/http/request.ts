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
  readonly #raw: IncomingMessage;
  readonly #closing: Closing;
  #signal: AbortSignal | undefined;

  /** @throws {StatusError} 400: the URL cannot be decoded. */
  constructor(raw: IncomingMessage, { body, readAtMs }: ReadBody, closing: Closing) {
    const url = (raw.url ?? '/').replace(schemeAndHost, '');
    const mark = url.indexOf('?');
    this.method = raw.method ?? 'GET';
    this.path = readPath(mark === -1 ? url : url.slice(0, mark));
    this.query = new URLSearchParams(mark === -1 ? '' : url.slice(mark + 1));
    this.body = body;
    this.readAtMs = readAtMs;
    this.#raw = raw;
    this.#closing = closing;
  }

  // Bound, so that it can be taken out of the request.
  readonly header = (name: string): string | undefined => {
    const value = this.#raw.headers[name];
    return Array.isArray(value) ? value.join(', ') : value;
  };

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
