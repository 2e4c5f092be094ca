import type { Readable } from 'node:stream';
import type { Clock } from '@leasehold/core';
import { StatusError } from '../status.js';

/** Bounds of the bodies of requests. */
export interface BodyLimits {
  /** Largest body, in bytes. */
  readonly bytesMax: number;
  /** All bodies that are being read, in bytes, */
  readonly allBytesMax: number;
  /** beside so many of each of them: whoever holds all the room with long ones does not keep others from renewing their leases. */
  readonly shortBytes: number;
  /** How long a client may take to send one. */
  readonly timeoutMs: number;
}

/** The client went before its request was whole. There is nobody to answer. */
export class ClientGone extends Error {
  override readonly name = 'ClientGone';
}

/** Reads the bodies of requests, and bounds them: each one, and what all of them hold in memory. */
export class BodyReader {
  readonly #clock: Clock;
  readonly #limits: BodyLimits;
  #bytesHeld = 0;

  constructor(clock: Clock, limits: BodyLimits) {
    this.#clock = clock;
    this.#limits = limits;
  }

  /**
   * Reads a body to its end.
   *
   * @throws {StatusError} 413 it is too large, 429 there are too many, 504 it took too long.
   * @throws {ClientGone} it was cut off.
   */
  read(body: Readable): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      const chunks: Uint8Array[] = [];
      let held = 0;
      let read = 0;
      let refusal: StatusError | undefined;
      const cancelTimeout = this.#clock.after(this.#limits.timeoutMs, () => {
        settle(() => reject(requestTimeout()));
      });
      const settle = (outcome: () => void): void => {
        cancelTimeout();
        this.#bytesHeld -= held;
        held = 0;
        body.removeListener('data', onData).removeListener('end', onEnd).removeListener('close', onClose);
        outcome();
      };
      // A client that is answered while it still writes may never read the answer: what is too much is read as well, and dropped.
      const drop = (why: StatusError): void => {
        refusal ??= why;
        this.#bytesHeld -= held;
        held = 0;
        chunks.length = 0;
      };
      const onData = (chunk: Uint8Array): void => {
        read += chunk.length;
        if (read > this.#limits.bytesMax + droppedBytesMax) {
          settle(() => reject(refusal ?? tooLarge(this.#limits.bytesMax)));
        } else if (read > this.#limits.bytesMax) {
          drop(tooLarge(this.#limits.bytesMax));
        } else if (refusal !== undefined || !this.#hasRoom(read, chunk.length)) {
          drop(tooManyBytes());
        } else {
          chunks.push(chunk);
          held += chunk.length;
          this.#bytesHeld += chunk.length;
        }
      };
      const onEnd = (): void => {
        settle(() => (refusal === undefined ? resolve(joined(chunks)) : reject(refusal)));
      };
      const onClose = (): void => {
        settle(() => reject(new ClientGone('The client went before its request was whole')));
      };
      body.on('data', onData).on('end', onEnd).on('close', onClose).on('error', ignore);
    });
  }

  /** `read`: how much of the body has come, with what has just come. */
  #hasRoom(read: number, bytes: number): boolean {
    return read <= this.#limits.shortBytes || this.#bytesHeld + bytes <= this.#limits.allBytesMax;
  }
}

/** How much of a body that is too large is read before its client is answered anyhow. */
const droppedBytesMax = 16 * 1024 ** 2;

function joined(chunks: readonly Uint8Array[]): Uint8Array {
  const [first] = chunks;
  return first !== undefined && chunks.length === 1 ? first : Buffer.concat(chunks);
}

// A failing body closes as well, and that is what counts.
function ignore(): void {
  return;
}

function tooLarge(bytesMax: number): StatusError {
  return new StatusError(413, 'RequestEntityTooLarge', `Request entity too large: limit is ${bytesMax}`);
}

/** 429: what others send or are sent takes all the room that there is. */
export function tooManyBytes(): StatusError {
  const message = 'the server has received too many requests and has asked us to try again later';
  return new StatusError(429, 'TooManyRequests', message, { details: { retryAfterSeconds: 1 } });
}

function requestTimeout(): StatusError {
  return new StatusError(504, 'Timeout', 'Timeout: request did not complete within the allotted timeout');
}
