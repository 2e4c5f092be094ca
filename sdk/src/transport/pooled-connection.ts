import type { LeaseServiceClient } from '@leasehold/proto/leasehold/v1/lease_service';
import type { Clock } from '../clock.js';

/**
 * How many streams a connection carries, those counted that were cancelled of late. A server takes a client that cancels more than
 * 1,000 at once for an attacker and closes the whole connection, everybody's calls on it included; it forgives 33 a second (nghttp2's
 * defaults, after the attack called "rapid reset").
 */
const streamsMax = 900;
const forgivenPerMs = 30 / 1000;

/** A connection, and how many streams it can still take on without getting closed if all of them are cancelled at once. */
export class PooledConnection {
  readonly endpoint: string;
  readonly client: LeaseServiceClient;
  readonly #clock: Clock;
  #streams = 0;
  #cancelled = 0;
  #countedAtMs: number;

  constructor(endpoint: string, client: LeaseServiceClient, clock: Clock) {
    this.endpoint = endpoint;
    this.client = client;
    this.#clock = clock;
    this.#countedAtMs = clock.monotonicMs();
  }

  get hasRoom(): boolean {
    return this.#streams + this.#unforgiven() < streamsMax;
  }

  get isIdle(): boolean {
    return this.#streams === 0;
  }

  /** A stream begins. */
  enter(): void {
    this.#streams += 1;
  }

  /** It is over. `cancelled`: it was ended at this end, before the server had ended it. */
  leave(cancelled: boolean): void {
    this.#streams -= 1;
    if (cancelled) this.#cancelled = this.#unforgiven() + 1;
  }

  #unforgiven(): number {
    const nowMs = this.#clock.monotonicMs();
    this.#cancelled = Math.max(this.#cancelled - (nowMs - this.#countedAtMs) * forgivenPerMs, 0);
    this.#countedAtMs = nowMs;
    return this.#cancelled;
  }
}
