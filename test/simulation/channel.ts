import { connectivityState, Metadata, status, type ChannelInterface, type InterceptingListener } from '@grpc/grpc-js';
import type { Call, MessageContext, StatusObject } from '@grpc/grpc-js/build/src/call-interface.js';
import type { FakeClock, Wire } from '@leasehold/sdk/testing';
import { RoughNetwork } from '../model/election/rough-network.js';
import type { Front, ServedCall } from './front.js';
import type { Cluster, Process, Server } from './servers.js';
import { delayMs, type HolderWeather } from './weather.js';

/** From a client to a server. */
export interface Route {
  readonly cluster: Cluster;
  /** Of the client's process. */
  readonly clock: FakeClock;
  readonly server: Server;
  readonly weather: () => HolderWeather;
  /** Whether anything gets through at all. */
  readonly carries: () => boolean;
}

/** Somebody who waits for another state. */
interface Watcher {
  readonly from: connectivityState;
  readonly changed: () => void;
}

/**
 * A channel of grpc-js to one server, with the simulation's network in the place of HTTP/2. What it tells of its state, and when calls
 * wait or fail, is as in grpc-js: idle until somebody asks, and after a refusal in failure until a further attempt has come through.
 */
export class SimulatedChannel implements ChannelInterface {
  readonly #route: Route;
  #state = connectivityState.IDLE;
  #connection: Connection | undefined;
  readonly #watchers = new Set<Watcher>();
  /** Calls that wait for a connection. */
  readonly #waiting = new Set<OutgoingCall>();
  #failures = 0;

  constructor(route: Route) {
    this.#route = route;
  }

  /** Breaks its connection: each end is told in its time. */
  reset(): void {
    this.#connection?.network.reset();
  }

  /** From now on its connection carries nothing, which only keepalive notices. */
  silence(): void {
    this.#connection?.network.partition(true);
  }

  /** Whether it will never be used again. */
  get isClosed(): boolean {
    return this.#state === connectivityState.SHUTDOWN;
  }

  close(): void {
    this.#become(connectivityState.SHUTDOWN);
  }

  getTarget(): string {
    return this.#route.server.name;
  }

  getConnectivityState(triesToConnect: boolean): connectivityState {
    const state = this.#state;
    if (triesToConnect) this.#connectIfIdle();
    return state;
  }

  watchConnectivityState(from: connectivityState, deadline: Date | number, callback: (error?: Error) => void): void {
    const { clock } = this.#route;
    // No timer of Node is shorter than a millisecond, and none can be set to the fraction of one that a wall clock rounds away.
    const cancel = clock.after(Math.max(Number(deadline) - clock.wallMs(), 1), () => {
      this.#watchers.delete(watcher);
      callback(new Error('Deadline passed without connectivity state change'));
    });
    const changed = (): void => {
      cancel();
      callback();
    };
    const watcher: Watcher = { from, changed };
    this.#watchers.add(watcher);
  }

  getChannelzRef(): never {
    throw new Error('There is no channelz');
  }

  createCall(path: string, deadline: Date | number): Call {
    return new OutgoingCall(this.#route, path, Number(deadline), (call) => this.#begin(call));
  }

  #begin(call: OutgoingCall): void {
    if (this.#state === connectivityState.READY && this.#connection !== undefined) {
      call.open(this.#connection);
    } else if (this.#state === connectivityState.TRANSIENT_FAILURE || this.isClosed) {
      call.fail('No connection established');
    } else {
      this.#waiting.add(call);
      this.#connectIfIdle();
    }
  }

  #connectIfIdle(): void {
    if (this.#state !== connectivityState.IDLE) return;
    this.#become(connectivityState.CONNECTING);
    this.#connect();
  }

  #connect(): void {
    const connection = new Connection(this.#route, {
      up: () => {
        if (this.isClosed) return;
        this.#failures = 0;
        this.#become(connectivityState.READY);
        for (const call of this.#waiting) call.open(connection);
        this.#waiting.clear();
      },
      down: () => this.#down(),
    });
    this.#connection = connection;
  }

  #down(): void {
    this.#connection = undefined;
    if (this.isClosed) return;
    if (this.#state === connectivityState.READY) {
      this.#become(connectivityState.IDLE);
      return;
    }
    this.#become(connectivityState.TRANSIENT_FAILURE);
    for (const call of this.#waiting) call.fail('No connection established');
    this.#waiting.clear();
    this.#failures += 1;
    const backoffMs = Math.min(50 * 1.6 ** (this.#failures - 1), 1000) * this.#route.cluster.chance.between(0.8, 1.2);
    this.#route.clock.after(backoffMs, () => {
      if (!this.isClosed) this.#connect();
    });
  }

  #become(state: connectivityState): void {
    if (this.#state === state || this.isClosed) return;
    this.#state = state;
    for (const watcher of [...this.#watchers]) {
      if (watcher.from === state) continue;
      this.#watchers.delete(watcher);
      watcher.changed();
    }
  }
}

/** One connection to one server process: messages arrive in order, late, or not at all from some instant on. */
class Connection {
  readonly network: RoughNetwork;
  readonly #clock: FakeClock;
  readonly #process: Process | undefined;
  readonly #wire: Wire;
  readonly calls = new Set<OutgoingCall>();
  readonly served = new Set<ServedCall>();
  #isDown = false;

  constructor({ cluster, clock, server, weather, carries }: Route, told: { up(): void; down(): void }) {
    const { time, chance } = cluster;
    const { process } = server;
    this.#clock = clock;
    this.#process = process;
    this.network = new RoughNetwork(time, chance, () => ({ ...weather(), doubling: 0 }));
    this.network.partition(!carries());
    const reset = (): void => this.network.reset();
    const down = (): void => {
      if (this.#isDown) return;
      this.#isDown = true;
      process?.connections.delete(reset);
      for (const call of [...this.calls]) call.fail('The connection broke');
      told.down();
    };
    this.#wire = this.network.connect(
      { clock, broken: () => clock.soon(down) },
      { clock: process?.clock ?? time, broken: () => process?.clock.soon(() => this.#leave()) },
    );
    process?.connections.add(reset);
    if (process?.front === undefined) time.after(delayMs(chance, weather()), () => clock.soon(down));
    else this.toServer(() => this.toClient(() => (this.#isDown ? undefined : told.up())));
  }

  toServer(arrive: (front: Front) => void): void {
    const { front, clock } = this.#process ?? {};
    if (front !== undefined) this.#wire.toServer(() => clock?.soon(() => arrive(front)));
  }

  toClient(arrive: () => void): void {
    this.#wire.toClient(() => this.#clock.soon(arrive));
  }

  #leave(): void {
    for (const call of [...this.served]) call.leave();
  }
}

/** The client's end of one call. */
class OutgoingCall implements Call {
  readonly #route: Route;
  readonly #path: string;
  readonly #deadlineMs: number;
  readonly #begin: (call: OutgoingCall) => void;
  #listener: InterceptingListener | undefined;
  #connection: Connection | undefined;
  #served: ServedCall | undefined;
  /** What was to be sent before there was a connection. */
  readonly #unsent: Buffer[] = [];
  #cancelDeadline: () => void = () => undefined;
  #isOver = false;

  constructor(route: Route, path: string, deadlineMs: number, begin: (call: OutgoingCall) => void) {
    this.#route = route;
    this.#path = path;
    this.#deadlineMs = deadlineMs;
    this.#begin = begin;
  }

  start(_: Metadata, listener: InterceptingListener): void {
    this.#listener = listener;
    if (this.#leftMs() < Infinity) {
      this.#cancelDeadline = this.#route.clock.after(this.#leftMs(), () => {
        this.cancelWithStatus(status.DEADLINE_EXCEEDED, 'Deadline exceeded');
      });
    }
    this.#begin(this);
  }

  /** Goes on its way. */
  open(connection: Connection): void {
    if (this.#isOver) return;
    this.#connection = connection;
    connection.calls.add(this);
    const leftMs = this.#leftMs();
    connection.toServer((front) => {
      const served = front.take(this.#path, leftMs, {
        message: (bytes) => connection.toClient(() => this.#receive(bytes)),
        status: (what) => connection.toClient(() => this.#finish(what)),
      });
      this.#served = served;
      connection.served.add(served);
      served.once('over', () => connection.served.delete(served));
    });
    for (const bytes of this.#unsent.splice(0)) this.#send(bytes);
  }

  /** No server will answer it. */
  fail(details: string): void {
    this.#finish({ code: status.UNAVAILABLE, details, metadata: new Metadata() });
  }

  sendMessageWithContext({ callback }: MessageContext, bytes: Buffer): void {
    if (this.#connection === undefined) this.#unsent.push(bytes);
    else this.#send(bytes);
    if (callback !== undefined) queueMicrotask(() => callback());
  }

  cancelWithStatus(code: status, details: string): void {
    if (this.#isOver) return;
    this.#connection?.toServer(() => this.#served?.leave());
    this.#finish({ code, details, metadata: new Metadata() });
  }

  startRead(): void {
    // What comes is handed over as it comes.
  }

  halfClose(): void {
    // A unary call has one message, and a stream of heartbeats is ended by cancelling it.
  }

  getPeer(): string {
    return this.#route.server.name;
  }

  getCallNumber(): number {
    return 0;
  }

  setCredentials(): void {
    // The servers ask for none.
  }

  getAuthContext(): null {
    return null;
  }

  #leftMs(): number {
    return this.#deadlineMs - this.#route.clock.wallMs();
  }

  #send(bytes: Buffer): void {
    this.#connection?.toServer(() => this.#served?.receive(bytes));
  }

  #receive(bytes: Buffer): void {
    if (!this.#isOver) this.#listener?.onReceiveMessage(bytes);
  }

  #finish(what: StatusObject): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#cancelDeadline();
    this.#connection?.calls.delete(this);
    queueMicrotask(() => this.#listener?.onReceiveStatus(what));
  }
}
