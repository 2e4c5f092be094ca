import {
  type Attachment,
  type AttachmentListener,
  type Clock,
  invalidField,
  type LeaseCoordinator,
  type Loss,
} from '@leasehold/core';
import type * as plain from '../transport/transport.js';
import { toTimeLeft, toTypedError } from './convert.js';

/** Where the server's end of a heartbeat stream writes to. */
export interface HeartbeatOut {
  onAnswer(answer: plain.HeartbeatAnswer): void;
  onEnd(error: unknown): void;
}

/** What waits to be told. */
interface Untold {
  attached: plain.HeartbeatAttached[];
  durations: { handle: number; durationMs: number }[];
  lost: plain.HeartbeatLoss[];
  excepted: plain.HeartbeatException[];
}

/**
 * The server's end of one heartbeat stream. A message is worked off at once and in order: detach, beat, attach. Messages that arrive
 * together are acknowledged together, once, and whatever else is due goes along before the acknowledgement.
 */
export class HeartbeatEnd {
  readonly #coordinator: LeaseCoordinator;
  readonly #clock: Clock;
  readonly #out: HeartbeatOut;
  readonly #onOver: () => void;
  readonly #leases = new Map<number, Attachment>();
  readonly #lost = new Set<number>();
  #handles = 0;
  #sequence = 0;
  /** Attaches are answered in the order asked for, and so handles rise. */
  #answering: Promise<void> = Promise.resolve();
  #untold: Untold = nothing();
  #scheduled = false;
  #over = false;

  constructor(coordinator: LeaseCoordinator, clock: Clock, out: HeartbeatOut, onOver: () => void) {
    this.#coordinator = coordinator;
    this.#clock = clock;
    this.#out = out;
    this.#onOver = onOver;
  }

  /** Takes a message from the client. */
  take(message: plain.HeartbeatMessage): void {
    if (this.#over) return;
    const readAtMs = this.#coordinator.monotonicMs();
    if (message.sequence <= this.#sequence) {
      const rule = `must be greater than that of the message before (${this.#sequence})`;
      this.finish(invalidField('sequence', rule, message.sequence));
      return;
    }
    this.#sequence = message.sequence;
    for (const handle of message.detach) this.#detach(handle);
    for (const handle of message.handles) this.#beat(handle, message.sequence, readAtMs);
    message.attach.forEach((wanted, index) => {
      this.#attach(wanted, readAtMs, { sequence: message.sequence, index });
    });
    this.#schedule();
  }

  /** Ends the stream: what was answered already is told first. */
  finish(error: unknown): void {
    if (this.#over) return;
    this.#tell();
    this.leave();
    this.#out.onEnd(error);
  }

  /** The client is gone. It ends none of its leases. Idempotent. */
  leave(): void {
    if (this.#over) return;
    this.#over = true;
    for (const attachment of this.#leases.values()) this.#coordinator.detach(attachment);
    this.#onOver();
  }

  #detach(handle: number): void {
    const attachment = this.#leases.get(handle);
    if (attachment !== undefined) this.#coordinator.detach(attachment);
    this.#leases.delete(handle);
    this.#lost.delete(handle);
  }

  #beat(handle: number, sequence: number, readAtMs: number): void {
    const attachment = this.#leases.get(handle);
    if (attachment === undefined) {
      this.#untold.excepted.push({ handle, sequence, refusal: this.#lost.has(handle) ? 'LOST' : 'NOT_ATTACHED' });
      return;
    }
    const result = this.#coordinator.beat(attachment, readAtMs);
    if (result !== 'renewed') {
      this.#untold.excepted.push({ handle, sequence, refusal: result === 'ending' ? 'ENDING' : 'LOST' });
    }
  }

  #attach(wanted: plain.RenewRequest, readAtMs: number, asked: { readonly sequence: number; readonly index: number }): void {
    const { namespace, name, holder, fencingToken } = wanted;
    const ear = new Ear(this.#untoldNow, this.#forget);
    const attaching = this.#coordinator.attach({ namespace, name, holder, fencingToken, readAtMs }, ear);
    attaching.catch(() => undefined);
    this.#answering = this.#answering.then(async () => {
      try {
        this.#attached(await attaching, ear, asked);
      } catch (error) {
        this.#untold.attached.push({ ...asked, outcome: { kind: 'refused', error: toTypedError(error) } });
      }
      this.#schedule();
    });
  }

  #attached(attachment: Attachment, ear: Ear, asked: { readonly sequence: number; readonly index: number }): void {
    if (this.#over) {
      this.#coordinator.detach(attachment);
      return;
    }
    this.#handles += 1;
    const handle = this.#handles;
    this.#leases.set(handle, attachment);
    const { durationMs } = attachment;
    this.#untold.attached.push({ ...asked, outcome: { kind: 'handle', handle, durationMs, remainingMs: durationMs } });
    ear.name(handle);
  }

  readonly #untoldNow = (): Untold => {
    this.#schedule();
    return this.#untold;
  };

  readonly #forget = (handle: number): void => {
    this.#leases.delete(handle);
    this.#lost.add(handle);
  };

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#clock.soon(() => {
      this.#scheduled = false;
      if (!this.#over) this.#tell();
    });
  }

  #tell(): void {
    const untold = this.#untold;
    this.#untold = nothing();
    this.#out.onAnswer({ ...untold, acknowledged: this.#sequence, draining: false });
  }
}

/** Hears what becomes of one lease; what happens before it has a handle waits until it has one. */
class Ear implements AttachmentListener {
  readonly #untold: () => Untold;
  readonly #forget: (handle: number) => void;
  #handle = 0;
  #early: Loss | undefined;

  constructor(untold: () => Untold, forget: (handle: number) => void) {
    this.#untold = untold;
    this.#forget = forget;
  }

  name(handle: number): void {
    this.#handle = handle;
    if (this.#early !== undefined) this.#tell(this.#early);
  }

  onLoss(_: Attachment, loss: Loss): void {
    if (this.#handle === 0) this.#early = loss;
    else this.#tell(loss);
  }

  onDuration(_: Attachment, durationMs: number): void {
    // Before the answer there is nothing to tell: the answer says the duration.
    if (this.#handle !== 0) this.#untold().durations.push({ handle: this.#handle, durationMs });
  }

  #tell({ reason, holder, fencingToken, graceMs }: Loss): void {
    const handle = this.#handle;
    const left = graceMs === undefined ? undefined : toTimeLeft(graceMs);
    this.#untold().lost.push({ handle, reason, holder, fencingToken, graceMs: left });
    if (graceMs === undefined) this.#forget(handle);
  }
}

function nothing(): Untold {
  return { attached: [], durations: [], lost: [], excepted: [] };
}
