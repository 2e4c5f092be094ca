import type { ServerWritableStream } from '@grpc/grpc-js';
import { invalidField, parseSelector, type LeaseError, type Watch, type WatchMessage, type WatchSink } from '@leasehold/core';
import type { WatchRequest } from '@leasehold/proto/leasehold/v1/lease_service';
import type { HandlerContext } from './context.js';
import type { OpenStream } from './open-streams.js';
import { toServiceError } from './status.js';
import { encodeWatchMessage } from './watch-encoding.js';

/** The server's end of one Watch call. Its messages are written encoded. */
export type WatchCall = ServerWritableStream<WatchRequest, Uint8Array>;

/** One watch: hands what the coordinator sends to the call, and slows the coordinator down to the pace of the client. */
export class WatchStream implements OpenStream, WatchSink {
  readonly #call: WatchCall;
  readonly #context: HandlerContext;
  readonly #onOver: (stream: WatchStream) => void;
  readonly #watch: Watch | undefined;
  #over = false;

  /** @throws {LeaseError} the request is refused, or there is no coordinator to talk to. */
  constructor(call: WatchCall, context: HandlerContext, onOver: (stream: WatchStream) => void) {
    this.#call = call;
    this.#context = context;
    this.#onOver = onOver;
    call.on('drain', () => this.#watch?.resume());
    call.on('cancelled', () => {
      this.#leave();
    });
    const { namespace, name, labelSelector, fromRevision, includeRenewals } = call.request;
    if (fromRevision < 0n) {
      throw invalidField('from_revision', 'must not be negative', fromRevision);
    }
    const selector = parseSelector(labelSelector, context.limits);
    this.#watch = context.engine.current().watch({ namespace, name, selector, fromRevision, includeRenewals }, this);
    if (this.#over) {
      this.#watch.close();
    }
  }

  write(message: WatchMessage): boolean {
    let more = true;
    for (const part of encodeWatchMessage(message)) {
      more = this.#call.write(part);
    }
    return more;
  }

  get over(): boolean {
    return this.#over;
  }

  end(error: LeaseError): void {
    this.finish(error);
  }

  finish(error: unknown): void {
    if (!this.#over) {
      this.#leave();
      this.#call.emit('error', toServiceError(error, this.#context.log));
    }
  }

  abort(error: LeaseError): void {
    this.finish(error);
  }

  #leave(): void {
    if (!this.#over) {
      this.#over = true;
      this.#watch?.close();
      this.#onOver(this);
    }
  }
}
