import type { Network, Wire, WireEnd } from './wire.js';

/** How long a client's keepalive takes to notice that nothing arrives any more, as over gRPC. */
const clientNoticesMs = 4_000;

/** The same for the server. */
const serverNoticesMs = 10_000;

/**
 * The network between clients and a `TestServer`, for tests that disturb it. Clients that are to be disturbed together share one.
 *
 * While nothing is wrong, everything arrives at once.
 */
export class TestLink implements Network {
  #state: 'up' | 'cut' | 'silent' = 'up';
  readonly #wires = new Set<LinkWire>();

  /** Breaks every connection, which both ends learn at once, and refuses new ones: calls fail as `UNAVAILABLE`. */
  cut(): void {
    this.#state = 'cut';
    this.reset();
  }

  /**
   * Carries nothing more, in either direction, and tells nobody, as when a router has forgotten its connections. The client's
   * keepalive notices after 4 s, the server's after 10 s.
   */
  silence(): void {
    this.#state = 'silent';
    for (const wire of this.#wires) wire.silence();
  }

  /** Carries everything again, on new connections; those that were silenced break. */
  restore(): void {
    if (this.#state === 'silent') this.reset();
    this.#state = 'up';
  }

  /** Breaks every connection, and takes new ones at once. */
  reset(): void {
    for (const wire of [...this.#wires]) wire.break();
  }

  /** Makes a connection, for a transport. */
  connect(client: WireEnd, server: WireEnd): Wire {
    const wire = new LinkWire(client, server, () => this.#wires.delete(wire));
    this.#wires.add(wire);
    if (this.#state === 'cut') wire.break();
    if (this.#state === 'silent') wire.silence();
    return wire;
  }
}

/** One connection over a link. */
class LinkWire implements Wire {
  readonly #client: WireEnd;
  readonly #server: WireEnd;
  readonly #onOver: () => void;
  #carries = true;
  #keepalives: (() => void)[] = [];

  constructor(client: WireEnd, server: WireEnd, onOver: () => void) {
    this.#client = client;
    this.#server = server;
    this.#onOver = onOver;
  }

  toServer(arrive: () => void): void {
    if (this.#carries) arrive();
  }

  toClient(arrive: () => void): void {
    if (this.#carries) arrive();
  }

  close(): void {
    this.#onOver();
    // A connection that carries nothing cannot tell the server that the client has left.
    this.#keepalives.shift()?.();
  }

  silence(): void {
    this.#carries = false;
    const notice = (end: WireEnd, withinMs: number): (() => void) =>
      end.clock.after(withinMs, () => {
        end.broken();
      });
    this.#keepalives = [notice(this.#client, clientNoticesMs), notice(this.#server, serverNoticesMs)];
  }

  break(): void {
    this.#carries = false;
    this.#onOver();
    for (const cancel of this.#keepalives.splice(0)) cancel();
    this.#client.broken();
    this.#server.broken();
  }
}
