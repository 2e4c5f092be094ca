import type { ServerResponse } from 'node:http';
import { constants } from 'node:http2';
import type { Duplex } from 'node:stream';
import type { StreamAnswer, StreamHead } from '../lease-api.js';
import type { Closing } from './closing.js';
import { streamOf } from './http2-stream.js';

/** An answer that goes on, and that the server may have to end. */
export interface OpenStream extends StreamAnswer {
  /** Whether the client has been answered, so that an error cannot be the answer any more. */
  readonly started: boolean;
  /** What it goes over. */
  readonly socket: Duplex | null;
  /** Ends it at once: nothing that waits to be written is written any more. */
  abort(): void;
}

/** An answer that goes on as the body of an HTTP response. */
export class HttpStream implements OpenStream {
  readonly framed = false;
  readonly #response: ServerResponse;
  readonly #closing: Closing;
  readonly #onStart: (stream: OpenStream) => void;
  #started = false;

  /** `onStart` is called before anything is written. */
  constructor(response: ServerResponse, closing: Closing, onStart: (stream: OpenStream) => void) {
    this.#response = response;
    this.#closing = closing;
    this.#onStart = onStart;
  }

  get started(): boolean {
    return this.#started;
  }

  get socket(): Duplex | null {
    return this.#response.socket;
  }

  start({ contentType, headers }: StreamHead): void {
    this.#started = true;
    this.#onStart(this);
    if (!this.#over) {
      this.#response.writeHead(200, { ...headers, 'content-type': contentType, 'cache-control': 'no-cache, private' });
      this.#response.flushHeaders();
    }
  }

  write(chunk: string | Uint8Array): boolean {
    return this.#over || this.#response.write(chunk);
  }

  onDrain(resume: () => void): void {
    this.#response.on('drain', resume);
  }

  end(): void {
    if (!this.#over) {
      this.#response.end();
    }
  }

  abort(): void {
    const stream = streamOf(this.#response);
    if (stream === undefined) {
      this.#response.destroy();
    } else {
      // Destroyed, it would look to the client as if it had ended.
      stream.close(constants.NGHTTP2_INTERNAL_ERROR);
    }
  }

  // Writing to a response that is over is an error nobody listens to.
  get #over(): boolean {
    return this.#closing.closed || this.#response.destroyed || this.#response.writableEnded;
  }
}
