import { type Clock, type Instant, instantOf } from '../clock.js';
import { isRetryable, type LeaseholdError, UnavailableError } from '../errors.js';
import { backoffMs } from '../retry.js';
import type {
  HeartbeatAnswer,
  HeartbeatAttached,
  HeartbeatHandle,
  HeartbeatLoss,
  HeartbeatMessage,
  HeartbeatStream,
  RenewRequest,
  Transport,
} from './transport.js';

/** A held lease as its heartbeat sees it. */
export interface Beaten {
  /** Who it is to the server. */
  readonly identity: RenewRequest;
  /** How often to beat, in milliseconds. Leases of one interval share their messages. */
  readonly intervalMs: number;
  /** A beat is due: the lease looks at the clocks, and may stop its heartbeat. `now`: one reading for all that beat together. */
  beforeBeat(now: Instant): void;
  /** A renewal was acknowledged. `sentAt` was read before it was sent, `now` when the answer came, once for all that it is about. */
  onAcknowledged(sentAt: Instant, durationMs: number, now: Instant): void;
  /** The server pushed a loss, or announced one. */
  onLoss(loss: HeartbeatLoss): void;
  /** The server does not attach the lease, for good. */
  onRefused(error: LeaseholdError): void;
}

/** What the owner of a connection decides. */
export interface ConnectionOwner {
  /** How long a message may go unanswered before the connection counts as dead, in milliseconds. */
  answerWithinMs(): number;
  /** The connection is over; nothing more comes from it. */
  onOver(): void;
  /** The server asks to go elsewhere. */
  onDraining(): void;
}

/** A message whose acknowledgement is waited for. */
interface Sent {
  readonly sequence: number;
  readonly sentAt: Instant;
  readonly beaten: readonly Attached[];
}

/** Attaches of one message that wait for their answers. */
interface Asked {
  readonly sentAt: Instant;
  readonly leases: readonly Beaten[];
  /** How many answers are missing. */
  open: number;
}

/** The answer to one attach. */
interface Answered {
  /** Whether the lease was not given up in the meantime. */
  readonly wanted: boolean;
  readonly sentAt: Instant;
  readonly now: Instant;
}

/** A lease that is attached. */
interface Attached {
  readonly lease: Beaten;
  readonly handle: number;
  durationMs: number;
}

/** One heartbeat stream: which leases are attached to it, what was sent when, and what an answer means for whom. */
export class HeartbeatConnection {
  readonly #clock: Clock;
  readonly #owner: ConnectionOwner;
  readonly #stream: HeartbeatStream;
  readonly #attached = new Map<Beaten, Attached>();
  readonly #byHandle = new Map<number, Attached>();
  readonly #asked = new Map<number, Asked>();
  /** Leases whose attach is waited for. */
  readonly #attaching = new Set<Beaten>();
  /** Leases that no server could attach for now, as in an outage of its store; they do not wait for their next beat. */
  readonly #unavailable = new Set<Beaten>();
  /** How many times in a row some were. */
  #failures = 0;
  #cancelRetry: (() => void) | undefined;
  /** Losses of handles that are not known yet: the answer to the attach will find them here. */
  readonly #earlyLosses = new Map<number, HeartbeatLoss>();
  /** The highest handle that an attach was answered with: they rise, so a lower one that is unknown here was given up. */
  #highestHandle = 0;
  #sent: Sent[] = [];
  #sequence = 0;
  #cancelWatchdog: (() => void) | undefined;
  /** A message whose answer is late; it may have come, and wait to be read after whatever held up this process. */
  #late: Sent | undefined;
  #over = false;

  constructor(transport: Transport, clock: Clock, owner: ConnectionOwner) {
    this.#clock = clock;
    this.#owner = owner;
    this.#stream = transport.heartbeat({
      onAnswer: (answer) => {
        this.#take(answer);
      },
      onEnd: () => {
        if (this.#end()) this.#owner.onOver();
      },
    });
  }

  /** Whether the server has answered at all. */
  answered = false;

  /** Beats leases, and attaches those that are not attached; that renews them as well. */
  beat(leases: readonly Beaten[]): void {
    const attached: Attached[] = [];
    const missing: Beaten[] = [];
    for (const lease of leases) {
      const known = this.#attached.get(lease);
      if (known !== undefined) attached.push(known);
      else if (!this.#attaching.has(lease)) missing.push(lease);
    }
    // With nothing to beat, as long as an attach takes its time, an empty message tells whether the connection lives.
    if (attached.length > 0 || (missing.length === 0 && this.#asked.size > 0)) {
      this.#send({ handles: attached.map(({ handle }) => handle), attach: [], detach: [] }, attached);
    }
    for (let from = 0; from < missing.length; from += attachesPerMessage) {
      this.#attach(missing.slice(from, from + attachesPerMessage));
    }
  }

  /** Keeps a lease alive no more. */
  detach(lease: Beaten): void {
    const attached = this.#forget(lease);
    if (attached !== undefined) this.#send({ handles: [], attach: [], detach: [attached.handle] }, []);
  }

  /** Ends the stream. The owner hears nothing more. */
  close(): void {
    this.#end();
  }

  #attach(leases: readonly Beaten[]): void {
    for (const lease of leases) {
      this.#unavailable.delete(lease);
      this.#attaching.add(lease);
    }
    const attach = leases.map(({ identity }) => identity);
    const { sequence, sentAt } = this.#send({ handles: [], attach, detach: [] }, []);
    this.#asked.set(sequence, { sentAt, leases, open: leases.length });
  }

  #send(message: Omit<HeartbeatMessage, 'sequence'>, beaten: readonly Attached[]): Sent {
    this.#sequence += 1;
    // The clocks are read before the message leaves: whatever comes after this instant is the server's to count.
    const sent = { sequence: this.#sequence, sentAt: instantOf(this.#clock), beaten };
    this.#sent.push(sent);
    this.#stream.send({ sequence: sent.sequence, ...message });
    this.#watch();
    return sent;
  }

  #take(answer: HeartbeatAnswer): void {
    if (this.#over) return;
    this.answered = true;
    const now = instantOf(this.#clock);
    for (const attached of answer.attached) this.#takeAttached(attached, now);
    for (const { handle, durationMs } of answer.durations) {
      const attached = this.#byHandle.get(handle);
      if (attached !== undefined) attached.durationMs = durationMs;
    }
    for (const loss of answer.lost) this.#takeLoss(loss);
    const inVain = new Set(answer.excepted.map(({ handle }) => handle));
    for (const { handle, refusal } of answer.excepted) this.#takeRefusal(handle, refusal);
    this.#takeAcknowledged(answer.acknowledged, inVain, now);
    if (answer.draining) this.#owner.onDraining();
  }

  #takeAttached({ sequence, index, outcome }: HeartbeatAttached, now: Instant): void {
    const asked = this.#asked.get(sequence);
    const lease = asked?.leases[index];
    if (asked === undefined || lease === undefined) return;
    asked.open -= 1;
    if (asked.open === 0) this.#asked.delete(sequence);
    // A lease that was given up in the meantime wants no handle.
    const wanted = this.#attaching.delete(lease);
    if (outcome.kind === 'handle') this.#takeHandle(lease, outcome, { wanted, sentAt: asked.sentAt, now });
    else if (wanted) this.#takeNoHandle(lease, outcome.error);
    if (this.#asked.size === 0 && this.#unavailable.size === 0) this.#failures = 0;
  }

  #takeHandle(lease: Beaten, outcome: HeartbeatHandle, { wanted, sentAt, now }: Answered): void {
    const { handle, durationMs, remainingMs } = outcome;
    this.#highestHandle = handle;
    if (!wanted) {
      this.#earlyLosses.delete(handle);
      this.#send({ handles: [], attach: [], detach: [handle] }, []);
      return;
    }
    const attached = { lease, handle, durationMs };
    this.#attached.set(lease, attached);
    this.#byHandle.set(handle, attached);
    const loss = this.#earlyLosses.get(handle);
    this.#earlyLosses.delete(handle);
    if (loss === undefined) lease.onAcknowledged(sentAt, Math.min(durationMs, remainingMs), now);
    else this.#takeLoss(loss);
  }

  #takeNoHandle(lease: Beaten, error: LeaseholdError): void {
    if (error instanceof UnavailableError) this.#retrySoon(lease);
    // What is refused for now otherwise, as by a limit, is attached again at the next beat.
    else if (!isTransient(error)) lease.onRefused(error);
  }

  /** An outage may take most of a lease's time: what is left of it is too short to wait for the next beat. */
  #retrySoon(lease: Beaten): void {
    this.#unavailable.add(lease);
    if (this.#cancelRetry !== undefined) return;
    this.#failures += 1;
    this.#cancelRetry = this.#clock.after(backoffMs(this.#clock, this.#failures, lease.intervalMs / 2), () => {
      this.#cancelRetry = undefined;
      if (this.#unavailable.size > 0) this.beat([...this.#unavailable]);
    });
  }

  #takeLoss(loss: HeartbeatLoss): void {
    const attached = this.#byHandle.get(loss.handle);
    if (attached === undefined) {
      if (loss.handle > this.#highestHandle) this.#earlyLosses.set(loss.handle, loss);
      return;
    }
    const announced = loss.graceMs !== undefined && loss.graceMs > 0;
    if (!announced) this.#forget(attached.lease);
    // It goes on: what has moved it is an attach of an earlier stream that was late, so the next beat attaches it again.
    if (loss.reason !== 'MOVED') attached.lease.onLoss(loss);
  }

  #takeRefusal(handle: number, refusal: 'NOT_ATTACHED' | 'ENDING' | 'LOST' | 'MOVED'): void {
    const attached = this.#byHandle.get(handle);
    // While an ending is undecided the next beat tells more, and a loss comes with its reason.
    if (attached === undefined || refusal === 'ENDING' || refusal === 'LOST') return;
    // The next beat attaches it again.
    this.#forget(attached.lease);
  }

  #takeAcknowledged(sequence: number, inVain: ReadonlySet<number>, now: Instant): void {
    const pending = this.#sent.findIndex((sent) => sent.sequence > sequence);
    const acknowledged = this.#sent.splice(0, pending === -1 ? this.#sent.length : pending);
    for (const { beaten, sentAt } of acknowledged) {
      for (const { lease, handle, durationMs } of beaten) {
        if (!inVain.has(handle) && this.#byHandle.has(handle)) lease.onAcknowledged(sentAt, durationMs, now);
      }
    }
    if (this.#sent.length === 0) this.#stopWatching();
  }

  #forget(lease: Beaten): Attached | undefined {
    const attached = this.#attached.get(lease);
    this.#unavailable.delete(lease);
    this.#attaching.delete(lease);
    this.#attached.delete(lease);
    if (attached !== undefined) this.#byHandle.delete(attached.handle);
    return attached;
  }

  /** Sees to it that a connection which answers no more is noticed: TCP would take minutes, and leases have seconds. */
  #watch(): void {
    if (this.#cancelWatchdog !== undefined || this.#over) return;
    const oldest = this.#sent[0];
    if (oldest === undefined) return;
    const withinMs = this.#owner.answerWithinMs();
    const waitedMs = this.#clock.monotonicMs() - oldest.sentAt.monotonicMs;
    if (waitedMs >= withinMs && this.#late === oldest) {
      if (this.#end()) this.#owner.onOver();
      return;
    }
    if (waitedMs >= withinMs) this.#late = oldest;
    this.#cancelWatchdog = this.#clock.after(Math.max(withinMs - waitedMs, readFirstMs), () => {
      this.#cancelWatchdog = undefined;
      this.#watch();
    });
  }

  #stopWatching(): void {
    this.#cancelWatchdog?.();
    this.#cancelWatchdog = undefined;
  }

  #end(): boolean {
    if (this.#over) return false;
    this.#over = true;
    this.#stopWatching();
    this.#cancelRetry?.();
    this.#stream.close();
    return true;
  }
}

const attachesPerMessage = 1000;

/** How long input that waits is given to be read before an answer counts as missing. */
const readFirstMs = 50;

/** Whether the same attach may be taken later: an outage, or a limit. */
function isTransient(error: LeaseholdError): boolean {
  return isRetryable(error) || error.code === 'RESOURCE_EXHAUSTED' || error.code === 'INTERNAL';
}
