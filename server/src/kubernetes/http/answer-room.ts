import type { Closing } from './closing.js';

/** Bounds what long answers hold in memory until their clients have taken them: all together, however slowly each of them reads. */
export class AnswerRoom {
  readonly #bytesMax: number;
  #bytesHeld = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** Whether there is room for an answer of this length. What it takes it gives back when the response closes. */
  admits(bytes: number, response: Closing): boolean {
    if (bytes <= shortBytes) return true;
    if (this.#bytesHeld + bytes > this.#bytesMax && this.#bytesHeld > 0) return false;
    this.#bytesHeld += bytes;
    response.onClose(() => {
      this.#bytesHeld -= bytes;
    });
    return true;
  }
}

/** Every client gets so much: it is no more than what connections hold anyhow. */
const shortBytes = 64 * 1024;
