import type { Attachment, AttachmentListener, Loss } from '@leasehold/core';

/** What becomes of the leases that are attached to a stream, by their handles. */
export interface HandleEvents {
  onLoss(handle: number, loss: Loss): void;
  onDuration(handle: number, durationMs: number): void;
}

/**
 * An attach that was asked for, and afterwards the ear of its lease: what happens before it has a handle waits until it has one.
 */
export class RequestedAttach implements AttachmentListener {
  readonly #events: HandleEvents;
  /** The message that asked, and which of its attaches. */
  readonly sequence: bigint;
  readonly index: number;
  #outcome: AttachOutcome | undefined;
  #handle = 0;
  #earlyLoss: Loss | undefined;

  constructor(events: HandleEvents, sequence: bigint, index: number) {
    this.#events = events;
    this.sequence = sequence;
    this.index = index;
  }

  settle(outcome: AttachOutcome): void {
    this.#outcome = outcome;
  }

  /** Takes the outcome, if there is one yet. */
  takeOutcome(): AttachOutcome | undefined {
    const outcome = this.#outcome;
    this.#outcome = undefined;
    return outcome;
  }

  /** The answer has gone out: from now on the lease is known by this handle. */
  name(handle: number): void {
    this.#handle = handle;
    if (this.#earlyLoss !== undefined) {
      this.#events.onLoss(handle, this.#earlyLoss);
      this.#earlyLoss = undefined;
    }
  }

  onLoss(_: Attachment, loss: Loss): void {
    if (this.#handle === 0) {
      this.#earlyLoss = loss;
    } else {
      this.#events.onLoss(this.#handle, loss);
    }
  }

  onDuration(_: Attachment, durationMs: number): void {
    // Before the answer there is nothing to tell: the answer says the duration.
    if (this.#handle !== 0) {
      this.#events.onDuration(this.#handle, durationMs);
    }
  }
}

/** How an attach ended. */
export type AttachOutcome = { readonly attachment: Attachment } | { readonly refusal: unknown };

/** Attaches under way. They end in any order; their outcomes come out in the order asked for. */
export class AttachQueue {
  #requested: RequestedAttach[] = [];
  /** How many at the front are answered: cut off now and then, so that each costs the same however many wait. */
  #answered = 0;

  get size(): number {
    return this.#requested.length - this.#answered;
  }

  push(attach: RequestedAttach): void {
    this.#requested.push(attach);
  }

  /** Hands over the outcomes that are there, up to the first attach that is still under way. */
  takeSettled(answer: (attach: RequestedAttach, outcome: AttachOutcome) => void): void {
    let attach = this.#requested[this.#answered];
    for (let outcome = attach?.takeOutcome(); attach !== undefined && outcome !== undefined; outcome = attach?.takeOutcome()) {
      this.#answered++;
      answer(attach, outcome);
      attach = this.#requested[this.#answered];
    }
    if (this.#answered === this.#requested.length || this.#answered >= cutAfter) {
      this.#requested = this.#requested.slice(this.#answered);
      this.#answered = 0;
    }
  }
}

const cutAfter = 1024;
