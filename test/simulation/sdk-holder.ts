import type { LeaseKey } from '@leasehold/core';
import type { Client, HeldLease, Term, Transport } from '@leasehold/sdk';
import type { FakeClock } from '@leasehold/sdk/testing';
import { SimulatedChannel } from './channel.js';
import type { HolderOptions, Participant } from './participant.js';
import type { Server } from './servers.js';
import { WatchedLease } from './watched-lease.js';

/**
 * A process that uses the real SDK, with all servers as its endpoints: it acquires or campaigns, keeps what it has for a while, and gives
 * it up or dies. What it believes is what its lease tells it.
 */
export class SdkHolder implements Participant {
  readonly name: string;
  readonly key: LeaseKey;
  readonly clock: FakeClock;
  token = 0n;
  readonly #options: HolderOptions;
  readonly #client: Client;
  readonly #channels = new Set<SimulatedChannel>();
  #state: 'idle' | 'waiting' | 'holding' | 'gone' = 'idle';
  /** The last one that it has had. */
  #lease: WatchedLease | undefined;
  /** Until when it keeps what it has. */
  #untilMs = 0;
  #wake: () => void = () => undefined;
  #stopCampaign: () => void = () => undefined;
  #isCutOff = false;
  #giveUpSoon = false;
  /** Nothing fails any more. */
  #isSteady = false;

  constructor(options: HolderOptions) {
    const { cluster, name, leaseName, servers } = options;
    const { kit, time, chance } = cluster;
    this.#options = options;
    this.name = name;
    this.key = `default/${leaseName}`;
    this.clock = time.process({ rate: chance.between(0.99, 1.01), random: () => chance.next() });
    // Nobody says that all clients name the servers in the same order.
    const first = Math.floor(chance.next() * servers.length);
    const named = new Map([...servers.slice(first), ...servers.slice(0, first)].map((one) => [`${one.name}.test:7400`, one]));
    const transport = new kit.GrpcTransport({
      endpoints: [...named.keys()],
      tls: undefined,
      token: undefined,
      clock: this.clock,
      openChannel: (endpoint) => this.#openChannel(named.get(endpoint)),
    });
    const timeoutMs = chance.between(1000, 5000);
    this.#client = kit.createClient({ transport: this.#observed(transport), clock: this.clock, holder: name, timeoutMs });
    cluster.witness.born(this);
    this.#next(chance.between(0, 1000));
  }

  get isIdle(): boolean {
    return this.#state === 'idle' || this.#state === 'gone';
  }

  get isGone(): boolean {
    return this.#state === 'gone';
  }

  get isWaiting(): boolean {
    return this.#state === 'waiting';
  }

  get believes(): boolean {
    return !this.isGone && this.#lease?.believes === true;
  }

  get believesForMs(): number {
    return this.#lease?.believesForMs ?? -Infinity;
  }

  /** Looks at its lease. */
  look(): void {
    if (!this.isGone) this.#lease?.look();
  }

  pause(): void {
    this.look();
    this.clock.pause();
  }

  /** Goes on: what it does first is to look at its lease. */
  resume(): void {
    this.clock.resume();
    if (!this.isGone) this.#lease?.resumed();
  }

  /** Ends its process: servers hear of it late. */
  kill(): void {
    if (this.isGone) return;
    this.#note('dies');
    this.#state = 'gone';
    this.clock.kill();
    this.#options.cluster.witness.gone(this);
    this.straddle();
  }

  /** Keeps what it has for so long. */
  stay(forMs: number): void {
    if (!this.#giveUpSoon) this.#untilMs = this.clock.monotonicMs() + forMs;
  }

  /** Its connections break, so that it goes elsewhere: at once, or when it notices. */
  straddle(): void {
    const { chance } = this.#options.cluster;
    for (const channel of this.#channels) {
      if (chance.happens(0.7)) channel.reset();
      else channel.silence();
    }
  }

  /** Nothing that it sends or is sent arrives any more, which nobody is told. @returns what ends that. */
  cutOff(): () => void {
    this.#isCutOff = true;
    for (const channel of this.#channels) channel.silence();
    return () => (this.#isCutOff = false);
  }

  /** From now on it waits for as long as it takes, and gives the lease up as soon as it has it. */
  giveUp(): void {
    this.#giveUpSoon = true;
    this.#until(0);
  }

  /** The faults are over: in a while it has to be able to keep what it has then or gets, and to give it up in the end. */
  keep(steadyAfterMs: number, forMs: number): void {
    this.#untilMs = this.clock.monotonicMs() + forMs;
    this.clock.after(steadyAfterMs, () => (this.#isSteady = true));
  }

  get #chance(): HolderOptions['cluster']['chance'] {
    return this.#options.cluster.chance;
  }

  #note(text: string): void {
    this.#options.cluster.witness.note(`${this.name} ${text}`);
  }

  #report(what: string): void {
    this.#options.cluster.witness.report(`${this.name} ${what}`);
  }

  #openChannel(server: Server | undefined): SimulatedChannel {
    if (server === undefined) throw new Error('No such endpoint');
    for (const channel of this.#channels) if (channel.isClosed) this.#channels.delete(channel);
    const { cluster, weather } = this.#options;
    const channel = new SimulatedChannel({ cluster, clock: this.clock, server, weather, carries: () => !this.#isCutOff });
    this.#channels.add(channel);
    return channel;
  }

  /** Sees what its streams tell, and what it does about that. */
  #observed(transport: Transport): Transport {
    const heartbeat = transport.heartbeat.bind(transport);
    transport.heartbeat = (sink) => {
      const stream = heartbeat({
        onAnswer: (answer) => {
          const isMoved = answer.lost.some(({ reason, fencingToken }) => reason === 'MOVED' && fencingToken === this.token);
          if (isMoved) this.#moved();
          sink.onAnswer(answer);
        },
        onEnd: (error) => sink.onEnd(error),
      });
      const send: typeof stream.send = (message) => {
        if (message.attach.length > 0) this.#lease?.attached();
        stream.send(message);
      };
      return { send, close: () => stream.close() };
    };
    return transport;
  }

  #moved(): void {
    this.#note(`is told that ${this.token} has moved`);
    this.#options.cluster.witness.count('SDK: MOVED');
    this.#lease?.moved();
  }

  #next(delayMs: number): void {
    this.clock.after(delayMs, () => {
      if (this.#state === 'idle' && this.#options.isEager(this) && this.#chance.happens(0.5)) this.#begin();
      if (!this.isGone) this.#next(this.#chance.between(0.05, 0.4) * Math.min(this.#options.durationMs, 3000));
    });
  }

  #begin(): void {
    this.#state = 'waiting';
    const begun = this.#chance.happens(0.5) ? this.#acquire() : this.#campaign();
    begun
      .catch((error: unknown) => this.#failed(error))
      .finally(() => {
        if (!this.isGone) this.#state = 'idle';
      });
  }

  #failed(error: unknown): void {
    const { code, reason, message } = error as { code?: string; reason?: string; message?: string };
    this.#note(`fails: ${String(message)}`);
    const isMistake = reason === undefined || ['INTERNAL', 'INVALID_ARGUMENT', 'UNKNOWN', 'UNIMPLEMENTED'].includes(code ?? '');
    if (isMistake) this.#report(`fails: ${String(error)}`);
  }

  async #acquire(): Promise<void> {
    const { leaseName, durationMs } = this.#options;
    const chance = this.#chance;
    const waitMs = this.#giveUpSoon ? 3_600_000 : chance.happens(0.6) ? chance.between(500, 20_000) : 0;
    const priority = chance.happens(0.2) ? 1 : 0;
    this.#note(`acquires, waits ${Math.round(waitMs)}`);
    const { granted } = await this.#client.acquire(leaseName, { durationMs, waitMs, priority });
    if (granted === undefined) return;
    await this.#hold(granted, durationMs / 3);
    await this.#release(granted);
  }

  async #release(lease: HeldLease): Promise<void> {
    try {
      await lease.release();
      if (this.#isSteady) this.#options.cluster.witness.count('kept by the SDK');
    } catch (error) {
      if (this.#isSteady) this.#report(`cannot release ${lease.fencingToken}: ${String(error)}`);
      throw error;
    }
  }

  async #campaign(): Promise<void> {
    const { leaseName, durationMs: leaseDurationMs } = this.#options;
    const chance = this.#chance;
    const renewDeadlineMs = leaseDurationMs * chance.between(0.5, 0.98);
    const retryPeriodMs = renewDeadlineMs * chance.between(0.1, 0.5);
    const controller = new AbortController();
    this.#stopCampaign = () => controller.abort();
    this.#note('campaigns');
    const plan = { leaseDurationMs, renewDeadlineMs, retryPeriodMs };
    await this.#client.elect(leaseName, plan, (term) => this.#lead(term, retryPeriodMs), { signal: controller.signal });
  }

  async #lead({ lease }: Term, beatMs: number): Promise<void> {
    await this.#hold(lease, beatMs);
    if (!lease.signal.aborted && this.#chance.happens(0.5)) this.#stopCampaign();
    if (lease.signal.aborted) await this.#pause(this.#chance.between(0, 0.2) * this.#options.durationMs);
    this.#state = 'waiting';
  }

  /** Until it wants the lease no more, or has lost it. */
  async #hold(lease: HeldLease, beatMs: number): Promise<void> {
    const { witness } = this.#options.cluster;
    witness.count('held by the SDK');
    this.#note(`has ${lease.fencingToken} by the SDK`);
    if (lease.fencingToken <= this.token) this.#report(`is granted ${lease.fencingToken} after ${this.token}`);
    this.#state = 'holding';
    this.token = lease.fencingToken;
    this.#lease = new WatchedLease(lease, this.clock, beatMs, (what) => this.#report(what));
    if (!this.#giveUpSoon) {
      const keepsMs = this.#chance.between(0, this.#chance.happens(0.3) ? lease.lease.durationMs : 30_000);
      this.#untilMs = this.clock.monotonicMs() + keepsMs;
    }
    const onAbort = (): void => {
      this.#lost(lease.signal.reason as { readonly reason?: string });
      this.#wake();
    };
    lease.signal.addEventListener('abort', onAbort);
    while (!lease.signal.aborted && this.clock.monotonicMs() < this.#untilMs) {
      await this.#pause(this.#untilMs - this.clock.monotonicMs());
    }
    lease.signal.removeEventListener('abort', onAbort);
    if (this.#giveUpSoon || this.#isSteady || !this.#chance.happens(0.25)) return;
    this.kill();
    // What is gone does nothing more.
    await new Promise(() => undefined);
  }

  #lost({ reason }: { readonly reason?: string }): void {
    this.#note(`is told that ${this.token} is over: ${String(reason)}`);
    this.#options.cluster.witness.count(`SDK: ${String(reason)}`);
    if (this.#isSteady && reason !== 'LEASE_REVOKED')
      this.#report(`loses ${this.token}, although nothing fails: ${String(reason)}`);
  }

  #until(ms: number): void {
    this.#untilMs = ms;
    this.#wake();
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.clock.after(ms, resolve);
      this.#wake = () => {
        cancel();
        resolve();
      };
    });
  }
}
