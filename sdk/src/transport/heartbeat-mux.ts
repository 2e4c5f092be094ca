import { type Clock, instantOf } from '../clock.js';
import { backoffMs } from '../retry.js';
import { type Beaten, HeartbeatConnection } from './heartbeat-connection.js';
import type { Transport } from './transport.js';

/** A heartbeat under way. */
export interface Heartbeat {
  /** Beats at once, outside the rhythm. */
  beatNow(): void;
  /** Beats no more. It ends no lease. Idempotent. */
  stop(): void;
}

/** Leases of one interval, and what cancels their next beat. */
interface Rhythm {
  readonly leases: Set<Beaten>;
  cancel: () => void;
}

/** A message is given this long to be answered, or a beat's interval where that lies between. */
const answerMsMin = 500;
const answerMsMax = 5000;

/**
 * Keeps all held leases of a client alive over one heartbeat stream. A stream that fails, or leaves a beat unanswered for too long, is
 * replaced by another on a new connection, to which every lease is attached again; no lease is lost by that.
 */
export class HeartbeatMux {
  readonly #transport: Transport;
  readonly #clock: Clock;
  readonly #leases = new Set<Beaten>();
  readonly #rhythms = new Map<number, Rhythm>();
  #connection: HeartbeatConnection | undefined;
  #failures = 0;
  #cancelReconnect: (() => void) | undefined;
  #closed = false;

  constructor(transport: Transport, clock: Clock) {
    this.#transport = transport;
    this.#clock = clock;
  }

  /** Starts to keep a lease alive: attaches it at once, which renews it, and beats from then on. */
  add(lease: Beaten): Heartbeat {
    if (!this.#closed) {
      this.#leases.add(lease);
      this.#join(lease);
      this.#beat([lease]);
    }
    return {
      beatNow: () => {
        if (this.#leases.has(lease)) this.#beat([lease]);
      },
      stop: () => {
        this.#remove(lease);
      },
    };
  }

  /** Opens the stream ahead of need, so that a lease which is waited for finds it open when it comes. */
  open(): void {
    if (!this.#closed && this.#connection === undefined && this.#cancelReconnect === undefined) this.#connect();
  }

  /** Ends the stream and every timer. */
  close(): void {
    this.#closed = true;
    for (const lease of [...this.#leases]) this.#remove(lease);
    this.#cancelReconnect?.();
    this.#connection?.close();
    this.#connection = undefined;
  }

  #remove(lease: Beaten): void {
    if (!this.#leases.delete(lease)) return;
    const rhythm = this.#rhythms.get(lease.intervalMs);
    rhythm?.leases.delete(lease);
    if (rhythm?.leases.size === 0) {
      rhythm.cancel();
      this.#rhythms.delete(lease.intervalMs);
    }
    this.#connection?.detach(lease);
  }

  #join(lease: Beaten): void {
    const rhythm = this.#rhythms.get(lease.intervalMs);
    if (rhythm === undefined) {
      this.#rhythms.set(lease.intervalMs, { leases: new Set([lease]), cancel: this.#schedule(lease.intervalMs) });
    } else {
      rhythm.leases.add(lease);
    }
  }

  #schedule(intervalMs: number): () => void {
    // Early by up to a tenth, so that clients which started together drift apart; never late.
    return this.#clock.after(intervalMs * (1 - this.#clock.random() / 10), () => {
      const rhythm = this.#rhythms.get(intervalMs);
      if (rhythm === undefined) return;
      rhythm.cancel = this.#schedule(intervalMs);
      const now = instantOf(this.#clock);
      for (const lease of [...rhythm.leases]) lease.beforeBeat(now);
      this.#beat([...rhythm.leases]);
    });
  }

  #beat(leases: readonly Beaten[]): void {
    if (leases.length === 0) return;
    // A new connection attaches every lease by itself.
    if (this.#connection === undefined) this.open();
    else this.#connection.beat(leases);
  }

  #connect(): void {
    const connection = new HeartbeatConnection(this.#transport, this.#clock, {
      answerWithinMs: () => this.#answerWithinMs(),
      onOver: () => {
        this.#failures = connection.answered ? 1 : this.#failures + 1;
        this.#reconnect();
      },
      onDraining: () => {
        // With nowhere to go, the stream is worth keeping until the server ends it.
        if (!this.#transport.canMove) return;
        connection.close();
        this.#reconnect();
      },
    });
    this.#connection = connection;
    connection.beat([...this.#leases]);
  }

  #reconnect(): void {
    this.#connection = undefined;
    if (this.#leases.size === 0 || this.#closed) return;
    // Leases of a few seconds have no time for long pauses.
    const delayMs = Math.min(backoffMs(this.#clock, this.#failures), this.#shortestMs() / 2);
    this.#cancelReconnect = this.#clock.after(delayMs, () => {
      this.#cancelReconnect = undefined;
      if (this.#leases.size > 0) this.#connect();
    });
  }

  #answerWithinMs(): number {
    return Math.min(Math.max(this.#shortestMs(), answerMsMin), answerMsMax);
  }

  /** The shortest interval of a beat. */
  #shortestMs(): number {
    return Math.min(...this.#rhythms.keys());
  }
}
