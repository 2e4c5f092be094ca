import type { FakeClock, Network, Wire, WireEnd } from '@leasehold/sdk/testing';
import type { Chance } from '../../support/chance.js';

/** What becomes of messages: probabilities for each of them, and how long they take. */
export interface Weather {
  readonly loss: number;
  readonly doubling: number;
  /** How many are slow; the others take a few milliseconds. */
  readonly slow: number;
  readonly slowMsMax: number;
}

export const calm: Weather = { loss: 0, doubling: 0, slow: 0, slowMsMax: 0 };

const quickMsMax = 5;

/** How long keepalive takes to notice a dead connection, as over gRPC: at the client, at the server. */
const clientNoticesMs = 5_000;
const serverNoticesMs = 10_000;

/**
 * The network of one process. Each message is delayed, lost or doubled by chance. A connection keeps its order, as TCP does, and so a
 * loss is the last that is heard of it: nobody is told, until keepalive notices. One that breaks may have its last words arrive yet.
 */
export class RoughNetwork implements Network {
  readonly #time: FakeClock;
  readonly #chance: Chance;
  readonly #weather: () => Weather;
  readonly #wires = new Set<RoughWire>();
  /** Whether anything gets through at all. */
  #carries = true;

  constructor(time: FakeClock, chance: Chance, weather: () => Weather) {
    this.#time = time;
    this.#chance = chance;
    this.#weather = weather;
  }

  connect(client: WireEnd, server: WireEnd): Wire {
    const wire = new RoughWire(this.#time, this.#chance, this.#weather, { client, server });
    if (!this.#carries) wire.die();
    this.#wires.add(wire);
    return wire;
  }

  reset(): void {
    for (const wire of this.#wires) wire.break();
    this.#wires.clear();
  }

  /** Lets nothing through any more, or everything again on new connections. */
  partition(apart: boolean): void {
    this.#carries = !apart;
    for (const wire of this.#wires) wire.die();
    this.#wires.clear();
  }
}

class RoughWire implements Wire {
  readonly #time: FakeClock;
  readonly #chance: Chance;
  readonly #weather: () => Weather;
  readonly #ends: { readonly client: WireEnd; readonly server: WireEnd };
  readonly #lastArrivalMs = { client: 0, server: 0 };
  #state: 'open' | 'dead' | 'broken' = 'open';
  /** Whether what was under way when it broke arrives yet. */
  #lastWordsArrive = true;

  constructor(time: FakeClock, chance: Chance, weather: () => Weather, ends: { client: WireEnd; server: WireEnd }) {
    this.#time = time;
    this.#chance = chance;
    this.#weather = weather;
    this.#ends = ends;
  }

  toServer(arrive: () => void): void {
    this.#carry('server', arrive);
  }

  toClient(arrive: () => void): void {
    this.#carry('client', arrive);
  }

  close(): void {
    // What is under way arrives yet.
  }

  /** Carries nothing more. Only keepalive will tell. */
  die(): void {
    if (this.#state !== 'open') return;
    this.#state = 'dead';
    const { client, server } = this.#ends;
    client.clock.after(clientNoticesMs, () => client.broken());
    server.clock.after(this.#chance.between(0, serverNoticesMs), () => server.broken());
  }

  /** Is reset: both ends are told, each in its time. */
  break(): void {
    if (this.#state === 'broken') return;
    this.#state = 'broken';
    this.#lastWordsArrive = this.#chance.happens(0.5);
    for (const end of [this.#ends.client, this.#ends.server]) this.#time.after(this.#delayMs(), () => end.broken());
  }

  #carry(to: 'client' | 'server', arrive: () => void): void {
    if (this.#state !== 'open') return;
    const { loss, doubling } = this.#weather();
    if (this.#chance.happens(loss)) {
      if (this.#chance.happens(0.5)) this.die();
      else this.break();
      return;
    }
    this.#deliver(to, arrive);
    if (this.#chance.happens(doubling)) this.#deliver(to, arrive);
  }

  #deliver(to: 'client' | 'server', arrive: () => void): void {
    const nowMs = this.#time.monotonicMs();
    const atMs = Math.max(nowMs + this.#delayMs(), this.#lastArrivalMs[to]);
    this.#lastArrivalMs[to] = atMs;
    this.#time.after(atMs - nowMs, () => {
      if (this.#lastWordsArrive) arrive();
    });
  }

  #delayMs(): number {
    const { slow, slowMsMax } = this.#weather();
    return this.#chance.between(0, this.#chance.happens(slow) ? slowMsMax : quickMsMax);
  }
}
