import type { Clock } from '@leasehold/core';
import type {
  HeartbeatAttached,
  HeartbeatDuration,
  HeartbeatException,
  HeartbeatLoss,
  HeartbeatRefusal,
  HeartbeatResponse,
} from '@leasehold/proto/leasehold/v1/lease_service';
import { toDuration } from './convert.js';

/** Where a stream of heartbeats is written to. */
export interface HeartbeatSink {
  /** Takes a message; `false`: it wants no more until `drain`. It is taken all the same. */
  write(message: HeartbeatResponse): boolean;
  on(event: 'drain', listener: () => void): unknown;
}

/**
 * The one writer of a heartbeat stream: it decides what goes into which message, and in which order.
 *
 * Messages that arrive together are acknowledged together, once, by the last sequence number. Whatever else is due goes before that
 * acknowledgement or into the same message: so a loss is always written before the acknowledgement of a beat that came after it, and
 * a grown duration no later than the acknowledgement that grants it.
 *
 * While the client does not read, nothing is written, and what waits stays bounded: one acknowledgement, and at most one loss, one
 * exception and one duration for each handle. Only answers to attaches add up; the reader looks at `waitingAnswers`.
 */
export class HeartbeatWriter {
  readonly #sink: HeartbeatSink;
  readonly #clock: Clock;
  /** Called when the client reads again. */
  readonly #onDrain: () => void;

  #acknowledged = 0n;
  #written = 0n;
  #answers: HeartbeatAttached[] = [];
  readonly #exceptions = new Map<number, HeartbeatException>();
  readonly #losses = new Map<number, HeartbeatLoss>();
  readonly #durations = new Map<number, HeartbeatDuration>();
  #draining = false;

  #due = false;
  #scheduled = false;
  #latched = false;
  #closed = false;

  constructor(sink: HeartbeatSink, clock: Clock, onDrain: () => void) {
    this.#sink = sink;
    this.#clock = clock;
    this.#onDrain = onDrain;
    sink.on('drain', () => {
      this.#latched = false;
      this.#flush();
      this.#onDrain();
    });
  }

  /** Answers to attaches that wait to be written. */
  get waitingAnswers(): number {
    return this.#answers.length;
  }

  /** Handles with an exception that waits to be written. */
  get waitingExceptions(): number {
    return this.#exceptions.size;
  }

  /** Every message up to this one is taken. */
  acknowledge(sequence: bigint): void {
    this.#acknowledged = sequence;
    this.#schedule();
  }

  /** A lease was beaten in vain; the acknowledgement follows. */
  except(handle: number, sequence: bigint, refusal: HeartbeatRefusal): void {
    this.#exceptions.set(handle, { handle, sequence, refusal });
  }

  /** Answers an attach. */
  answer(answer: HeartbeatAttached): void {
    this.#answers.push(answer);
    this.#schedule();
  }

  /** Tells a loss; a later one of the same lease replaces it. */
  lose(loss: HeartbeatLoss): void {
    this.#losses.set(loss.handle, loss);
    this.#schedule();
  }

  /** Tells a duration that grew. */
  grow(handle: number, durationMs: number): void {
    this.#durations.set(handle, { handle, duration: toDuration(durationMs) });
    this.#schedule();
  }

  /** Tells that the server drains. */
  drain(): void {
    this.#draining = true;
    this.#schedule();
  }

  /** Writes everything that is due, whether the client reads or not, and nothing after it. */
  finish(): void {
    this.#latched = false;
    while (this.#due && !this.#closed) {
      this.#writeNext();
    }
    this.#closed = true;
  }

  /** Writes nothing more. */
  close(): void {
    this.#closed = true;
  }

  #schedule(): void {
    this.#due = true;
    if (!this.#scheduled && !this.#latched) {
      this.#scheduled = true;
      this.#clock.soon(this.#flushSoon);
    }
  }

  readonly #flushSoon = (): void => {
    this.#scheduled = false;
    this.#flush();
  };

  #flush(): void {
    while (this.#due && !this.#latched && !this.#closed) {
      this.#latched = !this.#writeNext();
    }
  }

  /** Writes one message. The acknowledgement waits for the last of them, which has the rest of what goes before it. */
  #writeNext(): boolean {
    const attached = this.#answers.length === 0 ? none : this.#answers.splice(0, answersMax);
    const lost = take(this.#losses, lossesMax);
    const durations = take(this.#durations, durationsMax);
    const last = this.#answers.length === 0 && this.#losses.size === 0 && this.#durations.size === 0;
    if (last) {
      this.#written = this.#acknowledged;
      this.#due = false;
    }
    return this.#sink.write({
      acknowledged: this.#written,
      excepted: last ? take(this.#exceptions, Number.POSITIVE_INFINITY) : none,
      attached,
      lost,
      durations,
      draining: this.#draining,
    });
  }
}

/** Entries of one message, so that none comes near the 4 MiB that clients take by default. */
const answersMax = 500;
const lossesMax = 2000;
const durationsMax = 10_000;

const none: never[] = [];

/** Takes the oldest entries out of a map. */
function take<V>(map: Map<number, V>, max: number): V[] {
  if (map.size === 0) {
    return none;
  }
  const taken: V[] = [];
  for (const [key, value] of map) {
    if (taken.length >= max) {
      break;
    }
    taken.push(value);
    map.delete(key);
  }
  return taken;
}
