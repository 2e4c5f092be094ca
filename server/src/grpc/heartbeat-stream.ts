import type { ServerDuplexStream } from '@grpc/grpc-js';
import {
  Fifo,
  invalidField,
  limitExceeded,
  type Attachment,
  type AttachRequest,
  type BeatResult,
  type LeaseCoordinator,
  type LeaseError,
  type Loss,
} from '@leasehold/core';
import {
  HeartbeatLossReason,
  HeartbeatRefusal,
  type HeartbeatRequest,
  type HeartbeatResponse,
} from '@leasehold/proto/leasehold/v1/lease_service';
import { AttachQueue, RequestedAttach, type AttachOutcome } from './attach-queue.js';
import type { AttachAsker, AttachTurns } from './attach-turns.js';
import type { HandlerContext } from './context.js';
import { toDuration, toOptionalDuration } from './convert.js';
import { HandleTable } from './handle-table.js';
import { HeartbeatWriter } from './heartbeat-writer.js';
import type { OpenStream } from './open-streams.js';
import { toRefusal, toServiceError } from './status.js';

/** The server's end of one Heartbeat call. */
export type HeartbeatCall = ServerDuplexStream<HeartbeatRequest, HeartbeatResponse>;

/** What a stream of heartbeats works with. */
export interface HeartbeatContext extends HandlerContext {
  /** Shared by all streams. */
  readonly attachTurns: AttachTurns;
}

/**
 * One stream of heartbeats: reads beats and attaches, and keeps the leases that are attached to it.
 *
 * A message is worked off at once and in order: detach, beat, attach. An attach may have to wait for its turn, or for a change in
 * flight; the answers still go in the order asked for, and so handles rise. What goes out, and when, is the writer's.
 */
export class HeartbeatStream implements OpenStream, AttachAsker {
  readonly #call: HeartbeatCall;
  readonly #coordinator: LeaseCoordinator;
  readonly #context: HeartbeatContext;
  readonly #onOver: (stream: HeartbeatStream) => void;
  readonly #writer: HeartbeatWriter;

  /** The attached leases by their handles. */
  readonly #leases = new HandleTable();
  /** Handles that were lost of late, so that a beat that was under way is told `LOST`; later it is `NOT_ATTACHED`. */
  readonly #lost = new Set<number>();
  readonly #attaching = new AttachQueue();
  /** Those among them whose turn has not come. What they ask for is not kept any longer than that. */
  readonly #unasked = new Fifo<{ readonly attach: RequestedAttach; readonly request: AttachRequest }>();
  #sequence = 0n;
  /** The last message that beat all leases: it also counts for one that an earlier message asked to attach, and that was under way. */
  #lastAll = { sequence: 0n, readAtMs: 0 };
  #paused = false;
  #ended = false;
  #over = false;

  /** @throws {LeaseError} there is no coordinator to talk to. */
  constructor(call: HeartbeatCall, context: HeartbeatContext, onOver: (stream: HeartbeatStream) => void) {
    this.#call = call;
    this.#coordinator = context.engine.current();
    this.#context = context;
    this.#onOver = onOver;
    this.#writer = new HeartbeatWriter(call, context.clock, () => {
      this.#readOn();
    });
    call.on('data', this.#take);
    call.on('end', () => {
      this.#ended = true;
      this.#finishIfEnded();
    });
    call.on('cancelled', () => {
      this.#leave();
    });
  }

  /** Tells the client that the server drains. */
  tellDraining(): void {
    this.#writer.drain();
  }

  finish(error: unknown): void {
    if (!this.#over) {
      this.#writer.finish();
      this.#leave();
      this.#call.emit('error', toServiceError(error, this.#context.log));
    }
  }

  abort(error: LeaseError): void {
    this.#writer.close();
    this.finish(error);
  }

  /** Called when a lease is lost or soon will be. */
  onLoss(handle: number, loss: Loss): void {
    this.#writer.lose({
      handle,
      reason: HeartbeatLossReason[loss.reason],
      holder: loss.holder,
      fencingToken: loss.fencingToken,
      grace: toOptionalDuration(loss.graceMs),
    });
    if (loss.graceMs === undefined) {
      this.#leases.remove(handle);
      this.#remember(handle);
    }
  }

  /** Called when the duration of a lease grew. */
  onDuration(handle: number, durationMs: number): void {
    this.#writer.grow(handle, durationMs);
  }

  get unasked(): number {
    return this.#unasked.length;
  }

  /** Called when it is the turn of this stream. */
  askNext(): void {
    const next = this.#unasked.shift();
    if (next === undefined) {
      return;
    }
    const { attach, request } = next;
    const settle = (outcome: AttachOutcome): void => {
      this.#settle(attach, outcome);
      this.#context.attachTurns.done();
    };
    this.#coordinator.attach(request, attach).then(
      (attachment) => {
        settle({ attachment });
      },
      (refusal: unknown) => {
        settle({ refusal });
      },
    );
  }

  readonly #take = (message: HeartbeatRequest): void => {
    // Before anything else: a renewal counts from when its bytes had been read.
    const readAtMs = this.#coordinator.monotonicMs();
    if (this.#over) {
      return;
    }
    try {
      this.#check(message);
      this.#sequence = message.sequence;
      message.detach.forEach(this.#detach);
      this.#beatHandles(message, readAtMs);
      if (message.all) {
        this.#beatAll(message.sequence, readAtMs);
      }
      this.#attach(message, readAtMs);
      this.#writer.acknowledge(message.sequence);
      this.#checkBacklog();
    } catch (error) {
      this.finish(error);
    }
  };

  #check(message: HeartbeatRequest): void {
    if (message.sequence <= this.#sequence) {
      throw invalidField('sequence', `must be greater than that of the message before (${this.#sequence})`, message.sequence);
    }
    const { handlesMax } = this.#context.streamLimits;
    checkLength('handles', message.handles, handlesMax);
    checkLength('detach', message.detach, handlesMax);
    checkLength('attach', message.attach, attachesPerMessageMax);
  }

  #beatHandles({ handles, sequence }: HeartbeatRequest, readAtMs: number): void {
    for (const handle of handles) {
      const attachment = this.#leases.get(handle);
      if (attachment !== undefined) {
        this.#beat(handle, attachment, sequence, readAtMs);
      } else {
        const refusal = this.#lost.has(handle) ? HeartbeatRefusal.LOST : HeartbeatRefusal.NOT_ATTACHED;
        this.#writer.except(handle, sequence, refusal);
      }
    }
  }

  #beatAll(sequence: bigint, readAtMs: number): void {
    this.#lastAll = { sequence, readAtMs };
    this.#leases.forEach((attachment, handle) => {
      this.#beat(handle, attachment, sequence, readAtMs);
    });
  }

  #beat(handle: number, attachment: Attachment, sequence: bigint, readAtMs: number): void {
    const result = this.#coordinator.beat(attachment, readAtMs);
    if (result !== 'renewed') {
      this.#writer.except(handle, sequence, refusals[result]);
    }
  }

  readonly #detach = (handle: number): void => {
    const attachment = this.#leases.get(handle);
    if (attachment !== undefined) {
      this.#leases.remove(handle);
      this.#coordinator.detach(attachment);
    }
    this.#lost.delete(handle);
  };

  #attach({ attach, sequence }: HeartbeatRequest, readAtMs: number): void {
    const isWaiting = this.unasked > 0;
    attach.forEach(({ namespace, name, holder, fencingToken }, index) => {
      const requested = new RequestedAttach(this, sequence, index);
      this.#attaching.push(requested);
      const refusal = this.#attachRefusal();
      if (refusal === undefined) {
        this.#unasked.push({ attach: requested, request: { namespace, name, holder, fencingToken, readAtMs } });
      } else {
        this.#settle(requested, { refusal });
      }
    });
    if (!isWaiting && this.unasked > 0) {
      this.#context.attachTurns.wait(this);
    }
  }

  /** Why there may be no more leases on this stream than there are, or will be. */
  #attachRefusal(): LeaseError | undefined {
    const { handlesMax } = this.#context.streamLimits;
    if (this.#leases.size + this.#attaching.size > handlesMax) {
      return limitExceeded('leases on one heartbeat stream', handlesMax);
    }
    if (this.#leases.used + this.#attaching.size > handlesUsedMax) {
      return limitExceeded('handles over the life of one heartbeat stream', handlesUsedMax);
    }
    return undefined;
  }

  #settle(attach: RequestedAttach, outcome: AttachOutcome): void {
    if (this.#over) {
      if ('attachment' in outcome) {
        this.#coordinator.detach(outcome.attachment);
      }
      return;
    }
    attach.settle(outcome);
    this.#attaching.takeSettled(this.#answer);
    this.#readOn();
    this.#finishIfEnded();
  }

  readonly #answer = (attach: RequestedAttach, outcome: AttachOutcome): void => {
    const { sequence, index } = attach;
    if ('refusal' in outcome) {
      const value = toRefusal(outcome.refusal, this.#context.log);
      this.#writer.answer({ sequence, index, outcome: { $case: 'refused', value } });
      return;
    }
    const { attachment } = outcome;
    const handle = this.#leases.add(attachment);
    const duration = toDuration(attachment.durationMs);
    this.#writer.answer({ sequence, index, outcome: { $case: 'handle', value: { handle, duration, remaining: duration } } });
    if (this.#lastAll.sequence > sequence) {
      this.#beat(handle, attachment, this.#lastAll.sequence, this.#lastAll.readAtMs);
    }
    attach.name(handle);
  };

  #remember(handle: number): void {
    this.#lost.add(handle);
    if (this.#lost.size > lostRememberedMax) {
      const [oldest] = this.#lost;
      this.#lost.delete(oldest ?? handle);
    }
  }

  /** A client that asks faster than it reads, or than attaches can be answered, is not read until it does. */
  #checkBacklog(): void {
    const { handlesMax } = this.#context.streamLimits;
    if (this.#writer.waitingExceptions > handlesMax) {
      throw limitExceeded('handles beaten in vain and not told yet', handlesMax);
    }
    if (this.#backlog() > handlesMax) {
      this.#paused = true;
      this.#call.pause();
    }
  }

  #readOn(): void {
    if (this.#paused && this.#backlog() <= this.#context.streamLimits.handlesMax) {
      this.#paused = false;
      this.#call.resume();
    }
  }

  #backlog(): number {
    return this.#attaching.size + this.#writer.waitingAnswers;
  }

  /** The client has said all it had to say: what it asked for is still answered. */
  #finishIfEnded(): void {
    if (this.#ended && !this.#over && this.#attaching.size === 0) {
      this.#writer.finish();
      this.#leave();
      this.#call.end();
    }
  }

  /** Keeps none of the leases any more. It ends none of them. */
  #leave(): void {
    if (this.#over) {
      return;
    }
    this.#over = true;
    this.#unasked.takeAll();
    this.#writer.close();
    this.#leases.forEach((attachment) => {
      this.#coordinator.detach(attachment);
    });
    this.#onOver(this);
  }
}

/** How many lost handles are told from those that were never attached. */
const lostRememberedMax = 10_000;

/** Handles given out on one stream, none of them twice: past that, a client opens another one. */
const handlesUsedMax = 4_000_000;

/** Attaches in one message: each costs an answer of up to 4 KiB. */
const attachesPerMessageMax = 10_000;

const refusals: Readonly<Record<Exclude<BeatResult, 'renewed'>, HeartbeatRefusal>> = {
  ending: HeartbeatRefusal.ENDING,
  lost: HeartbeatRefusal.LOST,
};

function checkLength(field: string, entries: readonly unknown[], max: number): void {
  if (entries.length > max) {
    throw invalidField(field, `must have at most ${max} entries`, entries.length);
  }
}
