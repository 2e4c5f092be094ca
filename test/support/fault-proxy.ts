import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';

/** The two ways of a link: requests go to the server, answers come from it. */
type Way = 'requests' | 'answers';

/** What holds for every connection of a link, those that are yet to be made included. */
interface Weather {
  readonly held: ReadonlySet<Way>;
  readonly delayMs: number;
  readonly jitterMs: number;
  readonly refuses: boolean;
}

const fair: Weather = { held: new Set(), delayMs: 0, jitterMs: 0, refuses: false };

/** A link between clients and a server, whose faults a test chooses. TCP stays TCP: what is held back comes later, whole and in order. */
export class FaultProxy {
  readonly #server = createServer({ allowHalfOpen: true }, (near) => {
    this.carry(near);
  });
  readonly #connections = new Set<Connection>();
  #port: number;
  #weather = fair;

  private constructor(port: number) {
    this.#port = port;
  }

  /** A link to a server on this machine; it ends with the test. Port 0: to none yet. */
  static async to(port: number): Promise<FaultProxy> {
    const proxy = new FaultProxy(port);
    proxy.#server.listen(0, '127.0.0.1');
    await once(proxy.#server, 'listening');
    onTestFinished(() => {
      proxy.cut();
      proxy.#server.close();
    });
    return proxy;
  }

  get address(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** New connections go to this port, where the server is after a restart. */
  leadTo(port: number): void {
    this.#port = port;
  }

  /** How many connections are open, at one end at least. */
  get connections(): number {
    return this.#connections.size;
  }

  /** Resets every connection. New ones can be made. */
  cut(): void {
    for (const connection of [...this.#connections]) connection.reset();
  }

  /** Resets every new connection, until `restore`. */
  refuse(): void {
    this.#change({ refuses: true });
  }

  /** Leaves every connection open but never carries anything more on it, as when a router has forgotten it. New ones can be made. */
  silence(): void {
    for (const connection of this.#connections) connection.silence();
  }

  /**
   * Accepts and keeps connections, but holds back what they carry, until `restore`: everything, or the answers alone, so that what is
   * asked for is done and nobody hears of it.
   */
  partition(ways: 'both' | 'answers' = 'both'): void {
    this.#change({ held: new Set(ways === 'both' ? ['requests', 'answers'] : ['answers']) });
  }

  /** Delays each way by `delayMs` and up to `jitterMs` more, until `restore`. */
  delay(delayMs: number, jitterMs = 0): void {
    this.#change({ delayMs, jitterMs });
  }

  /** Ends every fault; what was held back goes on its way. */
  restore(): void {
    this.#change(fair);
  }

  /** Carries a connection that was accepted elsewhere, with its ends apart (`allowHalfOpen`), on this link. */
  carry(near: Socket): void {
    if (this.#weather.refuses || this.#port === 0) {
      near.on('error', () => undefined).resetAndDestroy();
      return;
    }
    const far = connect({ port: this.#port, host: '127.0.0.1', allowHalfOpen: true });
    const connection = new Connection(near, far, () => this.#weather);
    this.#connections.add(connection);
    for (const socket of [near, far]) {
      socket.on('close', () => {
        if (near.closed && far.closed) this.#connections.delete(connection);
      });
    }
  }

  #change(weather: Partial<Weather>): void {
    this.#weather = { ...this.#weather, ...weather };
    for (const connection of this.#connections) connection.flush();
  }
}

/** A client's connection and the one to the server that belongs to it. */
class Connection {
  readonly #sockets: readonly Socket[];
  readonly #flows: readonly Flow[];
  #silent = false;

  constructor(near: Socket, far: Socket, weather: () => Weather) {
    const weatherHere = (): Weather => (this.#silent ? { ...weather(), held: new Set(['requests', 'answers']) } : weather());
    this.#sockets = [near, far];
    this.#flows = [new Flow('requests', near, far, weatherHere), new Flow('answers', far, near, weatherHere)];
  }

  reset(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  silence(): void {
    this.#silent = true;
  }

  flush(): void {
    for (const flow of this.#flows) flow.flush();
  }
}

/** One way of a connection: bytes, an end and a reset pass in order, each when the weather lets it. */
class Flow {
  readonly #way: Way;
  readonly #weather: () => Weather;
  readonly #waiting: { readonly deliver: () => void; readonly due: number }[] = [];

  constructor(way: Way, from: Socket, to: Socket, weather: () => Weather) {
    this.#way = way;
    this.#weather = weather;
    from.on('data', (chunk) => this.#take(() => to.write(chunk)));
    from.on('end', () => this.#take(() => to.end()));
    from.on('error', () => undefined);
    from.on('close', (failed) => {
      if (failed) this.#take(() => to.resetAndDestroy());
    });
  }

  flush(): void {
    for (let next = this.#waiting[0]; next !== undefined && !this.#weather().held.has(this.#way); next = this.#waiting[0]) {
      const leftMs = next.due - performance.now();
      if (leftMs > 0) {
        setTimeout(() => this.flush(), leftMs).unref();
        return;
      }
      this.#waiting.shift();
      next.deliver();
    }
  }

  #take(deliver: () => void): void {
    const { delayMs, jitterMs } = this.#weather();
    const due = performance.now() + delayMs + Math.random() * jitterMs;
    // Jitter never lets bytes overtake each other.
    this.#waiting.push({ deliver, due: Math.max(due, this.#waiting.at(-1)?.due ?? 0) });
    this.flush();
  }
}
