import {
  isHeld,
  type AnswerTo,
  type Command,
  type LeaseCoordinator,
  type LeaseError,
  type LeaseKey,
  type LeaseRecord,
} from '@leasehold/core';
import type { FakeClock } from '@leasehold/sdk/testing';
import { Client } from '../core/world.js';
import type { HolderOptions, Participant } from './participant.js';
import type { Cluster, Process, Server } from './servers.js';
import { Stream } from './stream.js';
import { delayMs, quickMsMax } from './weather.js';
import type { Place } from './witness.js';

/** The part of a duration that a holder does not use, as in the SDK. */
const safetyMargin = 0.02;

/** How a holder keeps what it has. */
interface Plan {
  readonly untilMs: number;
  readonly unary: boolean;
  readonly beats: boolean;
  /** How often it attaches to another server although all is well. */
  readonly moves: number;
  /** Whether it stays with streams that it does not hear of. */
  readonly isStubborn: boolean;
}

/**
 * Somebody who acquires a lease, keeps it for a while in whichever way, and gives it up or not: by the rules of a client, and otherwise as
 * awkward as these allow. Its own deadline counts from before what was acknowledged had been sent, less a margin; once that has passed, the
 * lease is lost for good; a grant after waiting counts from nothing; a grant that is not newer than what it had is ignored.
 */
export class Holder implements Participant {
  readonly name: string;
  readonly key: LeaseKey;
  readonly clock: FakeClock;
  token = 0n;
  readonly #options: HolderOptions;
  readonly #lease: { readonly namespace: string; readonly name: string };
  /** `undefined`: it has a grant that counts from nothing. */
  #believesUntilMs: number | undefined = -Infinity;
  #durationMs: number;
  #state: 'idle' | 'acquiring' | 'holding' | 'gone' = 'idle';
  #streams = new Set<Stream>();
  #attempts = 0;
  /** When the acquire under way began; `undefined`: none is. */
  waitsSinceMs: number | undefined;
  #plan: Plan = { untilMs: 0, unary: false, beats: false, moves: 0, isStubborn: false };
  #lastAckMs = 0;
  #giveUpSoon = false;
  /** What the servers notice of its end, for each call under way. */
  readonly #leave = new Set<() => void>();

  constructor(options: HolderOptions) {
    const { cluster, name, leaseName, durationMs } = options;
    this.#options = options;
    this.name = name;
    this.#lease = { namespace: 'default', name: leaseName };
    this.key = `default/${leaseName}`;
    this.#durationMs = durationMs;
    this.clock = cluster.time.process({ rate: cluster.chance.between(0.99, 1.01) });
    cluster.witness.born(this);
    this.#next(cluster.chance.between(0, 1000));
  }

  get isIdle(): boolean {
    return this.#state === 'idle' || this.#state === 'gone';
  }

  get isGone(): boolean {
    return this.#state === 'gone';
  }

  get isWaiting(): boolean {
    return this.#state === 'acquiring';
  }

  get believes(): boolean {
    return this.believesForMs > 0;
  }

  get believesForMs(): number {
    return (this.#believesUntilMs ?? -Infinity) - this.clock.monotonicMs();
  }

  pause(): void {
    this.clock.pause();
  }

  resume(): void {
    this.clock.resume();
  }

  /** Ends its process: servers hear of it late. */
  kill(): void {
    if (this.#state === 'gone') return;
    this.#note('dies');
    this.#state = 'gone';
    this.waitsSinceMs = undefined;
    this.#believesUntilMs = -Infinity;
    this.clock.kill();
    this.#options.cluster.witness.gone(this);
    for (const stream of this.#streams) stream.close();
    for (const leave of this.#leave) leave();
  }

  /** Keeps what it has by the streams it has, for so long; a stubborn one, also if it hears nothing. */
  stay(forMs: number, isStubborn: boolean): void {
    if (this.#giveUpSoon || this.#streams.size === 0) return;
    this.#plan = { untilMs: this.clock.monotonicMs() + forMs, unary: false, beats: true, moves: 0, isStubborn };
  }

  /** Attaches to one more server, and says nothing more there. */
  straddle(): void {
    if (this.#state === 'holding' && this.#streams.size > 0) this.#attach(true);
  }

  /** From now on it waits for as long as it takes, and gives the lease up as soon as it has it. */
  giveUp(): void {
    this.#giveUpSoon = true;
    this.#plan = { ...this.#plan, untilMs: 0 };
  }

  get #chance(): Cluster['chance'] {
    return this.#options.cluster.chance;
  }

  #note(text: string): void {
    this.#options.cluster.witness.note(`${this.name} ${text}`);
  }

  #next(delayMs: number): void {
    this.clock.after(delayMs, () => {
      this.#act();
      if (this.#state !== 'gone') this.#next(this.#chance.between(0.05, 0.4) * Math.min(this.#durationMs, 3000));
    });
  }

  #act(): void {
    if (this.#state === 'idle' && this.#options.isEager(this) && this.#chance.happens(0.5)) this.#acquire();
    if (this.#state !== 'holding') return;
    if (this.#believesUntilMs !== undefined && !this.believes) {
      this.#lose('its deadline has passed');
    } else if (this.clock.monotonicMs() >= this.#plan.untilMs) {
      this.#end();
    } else {
      this.#keep();
    }
  }

  /** Renews, beats, moves or does nothing. */
  #keep(): void {
    if (this.#plan.unary && this.#chance.happens(0.8)) this.#renew();
    if (!this.#plan.beats) return;
    if (this.#movesNow()) this.#attach();
    // One of two streams goes in its time.
    if (this.#streams.size > 1 && this.#chance.happens(0.1)) this.#chance.pick([...this.#streams]).close();
    for (const stream of this.#streams) if (!stream.isSilent && this.#chance.happens(0.8)) stream.beat();
  }

  #movesNow(): boolean {
    const { isStubborn, moves } = this.#plan;
    const isUnheard = !isStubborn && this.clock.monotonicMs() - this.#lastAckMs > this.#durationMs / 2;
    return this.#streams.size === 0 || this.#chance.happens(isUnheard ? 0.3 : moves);
  }

  #end(): void {
    if (!this.#giveUpSoon && this.#chance.happens(0.3)) {
      this.kill();
      return;
    }
    if (!this.#giveUpSoon && this.#chance.happens(0.2)) {
      // It forgets to renew, and finds out.
      this.#plan = { untilMs: Infinity, unary: false, beats: false, moves: 0, isStubborn: false };
      return;
    }
    this.#lose('it is done');
  }

  #acquire(): void {
    const { chance } = this.#options.cluster;
    const waitMs = this.#giveUpSoon ? 3_600_000 : chance.happens(0.6) ? chance.between(500, 20_000) : 0;
    const isRepeated = waitMs === 0 && chance.happens(0.3);
    const acquireId = `${this.name}-${++this.#attempts}${isRepeated ? '-again' : ''}`;
    const server = this.#chance.pick(this.#options.servers);
    this.#tryAcquire(server, acquireId, waitMs);
    if (isRepeated) this.clock.after(chance.between(0, 2000), () => this.#repeat(acquireId));
  }

  #repeat(acquireId: string): void {
    if (this.#state === 'acquiring' || this.#state === 'idle')
      this.#tryAcquire(this.#chance.pick(this.#options.servers), acquireId, 0);
  }

  #tryAcquire(server: Server, acquireId: string, waitMs: number): void {
    this.#state = 'acquiring';
    const sentMs = this.clock.monotonicMs();
    this.waitsSinceMs ??= this.#options.cluster.time.monotonicMs();
    const claim = { holder: this.name, acquireId, durationMs: this.#options.durationMs };
    const priority = this.#chance.happens(0.2) ? 1 : 0;
    const call = this.#call(server, { kind: 'acquire', ...this.#lease, claim, waitMs, priority }, waitMs + 1500);
    this.#note(`acquires at ${server.name} as ${acquireId}, waits ${Math.round(waitMs)}`);
    call.then(
      (answer) => this.#acquired(answer, sentMs, waitMs > 0),
      (error: unknown) => {
        this.#note(`did not acquire at ${server.name}: ${(error as Error).message}`);
        this.#stopAcquiring();
      },
    );
  }

  #stopAcquiring(): void {
    if (this.#state !== 'acquiring') return;
    this.#state = 'idle';
    this.waitsSinceMs = undefined;
  }

  #acquired(answer: AnswerTo<'acquire'>, sentMs: number, hasWaited: boolean): void {
    if (this.#state === 'gone') return;
    if (answer.kind === 'busy') {
      this.#stopAcquiring();
      return;
    }
    const { fencingToken, durationMs } = answer.record;
    if (fencingToken === this.token && this.#state === 'holding') this.#acknowledged(fencingToken, sentMs, durationMs);
    if (fencingToken <= this.token || this.#state === 'holding') {
      this.#stopAcquiring();
      return;
    }
    this.#options.cluster.witness.count('held');
    this.#note(`has ${fencingToken}`);
    this.#state = 'holding';
    this.waitsSinceMs = undefined;
    this.token = fencingToken;
    this.#durationMs = durationMs;
    this.#believesUntilMs = hasWaited ? undefined : this.#deadline(sentMs, durationMs);
    this.#lastAckMs = this.clock.monotonicMs();
    const untilMs = this.#giveUpSoon
      ? 0
      : this.#lastAckMs + this.#chance.between(0, this.#chance.pick([durationMs, 30_000, 30_000]));
    const beats = this.#chance.happens(0.8);
    this.#plan = {
      untilMs,
      beats,
      unary: !beats || this.#chance.happens(0.1),
      moves: this.#chance.pick([0, 0, 0.02, 0.1]),
      isStubborn: false,
    };
    // Nobody lives on a grant from the queue alone: what is never confirmed is given up.
    if (hasWaited) this.clock.after(16_000, () => this.#giveUpUnconfirmed(fencingToken));
    if (beats) this.#attach();
    else this.#renew();
  }

  #giveUpUnconfirmed(token: bigint): void {
    if (this.#state === 'holding' && this.token === token && this.#believesUntilMs === undefined) this.#lose('it heard nothing');
  }

  #deadline(sentMs: number, durationMs: number): number {
    return sentMs + durationMs * (1 - safetyMargin);
  }

  #acknowledged(token: bigint, sentMs: number, durationMs: number): void {
    if (this.#state !== 'holding' || this.token !== token) return;
    // Once the old deadline has passed, nothing revives it.
    if (this.#believesUntilMs !== undefined && !this.believes) {
      this.#lose('its deadline had passed before the acknowledgement');
      return;
    }
    this.#lastAckMs = this.clock.monotonicMs();
    const untilMs = this.#deadline(sentMs, durationMs);
    if (this.#believesUntilMs === undefined && untilMs <= this.#lastAckMs) return;
    this.#believesUntilMs = Math.max(this.#believesUntilMs ?? -Infinity, untilMs);
  }

  /** It holds the lease no more, and says so, soon or late, to one server or two. */
  #lose(why: string): void {
    if (this.#state !== 'holding') return;
    this.#note(`lets go of ${this.token}: ${why}`);
    this.#state = 'idle';
    this.#believesUntilMs = -Infinity;
    for (const stream of this.#streams) stream.close();
    const fencingToken = this.token;
    const times = this.#chance.happens(0.2) ? 2 : 1;
    if (!this.#giveUpSoon && this.#chance.happens(0.1)) return;
    for (let time = 0; time < times; time += 1) {
      const release = (): void => {
        const server = this.#chance.pick(this.#options.servers);
        this.#call(server, { kind: 'release', ...this.#lease, fencingToken, transferTo: '' }, 3000).catch(() => undefined);
      };
      if (this.#chance.happens(0.2)) this.clock.after(this.#chance.between(0, 2 * this.#durationMs), release);
      else release();
    }
  }

  #renew(): void {
    const { token } = this;
    const sentMs = this.clock.monotonicMs();
    const server = this.#chance.pick(this.#options.servers);
    const command = { kind: 'renew', ...this.#lease, holder: this.name, fencingToken: token } as const;
    this.#call(server, (readAtMs) => ({ ...command, readAtMs }), 2000).then(
      ({ record }) => this.#acknowledged(token, sentMs, record.durationMs),
      (error: unknown) => this.#refused(token, error),
    );
  }

  #refused(token: bigint, error: unknown): void {
    const { reason } = error as Partial<LeaseError>;
    if (token === this.token && ['LEASE_LOST', 'LEASE_EXPIRED', 'LEASE_NOT_FOUND', 'REVOKED'].includes(reason ?? '')) {
      this.#lose(`it was refused: ${String(reason)}`);
    }
  }

  #attach(isSilent = this.#streams.size > 0 && this.#chance.happens(0.5)): void {
    const server = this.#chance.pick(this.#options.servers);
    const stream = new Stream(this.#options, server, {
      holder: this.name,
      lease: this.#lease,
      token: this.token,
      clock: this.clock,
      acknowledged: (sentMs, durationMs) => this.#acknowledged(stream.token, sentMs, durationMs),
      lost: (loss) => {
        this.#note(`hears at ${server.name}: ${loss.reason}`);
        stream.close();
        if (loss.reason !== 'MOVED' && stream.token === this.token) this.#lose('it was told so');
      },
      refused: (error) => {
        this.#note(`cannot attach at ${server.name}: ${(error as Error).message}`);
        stream.close();
        this.#refused(stream.token, error);
      },
      closed: () => this.#streams.delete(stream),
    });
    // Of two, one may say nothing more.
    stream.isSilent = isSilent;
    this.#note(`attaches at ${server.name}${stream.isSilent ? ', and says nothing more' : ''}`);
    this.#streams.add(stream);
    stream.open();
  }

  /** One call, over a network that delays and loses. */
  #call<C extends Command>(
    server: Server,
    command: C | ((readAtMs: number) => C),
    timeoutMs: number,
  ): Promise<AnswerTo<C['kind']>> {
    const { witness } = this.#options.cluster;
    return new Promise((resolve, reject) => {
      let isOver = false;
      let process: Process | undefined;
      const caller = new Client();
      // A connection tells of its end at once, or its keepalive does.
      const leave = (): void => {
        const { time, chance } = this.#options.cluster;
        const delayMs = chance.happens(0.7) ? quickMsMax : chance.between(0, 10_000);
        time.after(delayMs, () => process?.clock.soon(() => caller.leave()));
      };
      this.#leave.add(leave);
      const end = (settle: () => void): void => {
        if (isOver) return;
        isOver = true;
        this.#leave.delete(leave);
        process?.connections.delete(broken);
        cancel();
        settle();
      };
      const cancel = this.clock.after(timeoutMs, () => {
        end(() => reject(new Error('no answer in time')));
        leave();
      });
      const answer = (settle: () => void): void => send(this.#options, () => this.clock.soon(() => end(settle)));
      const refuse = (error: unknown): void => answer(() => reject(error instanceof Error ? error : new Error(String(error))));
      const broken = (): void => refuse(new Error('the connection broke'));
      send(this.#options, () => {
        process = server.process;
        process?.connections.add(broken);
        if (process === undefined) refuse(new Error('nobody is there'));
        process?.clock.soon(() => {
          const { coordinator } = server;
          if (coordinator === undefined) {
            refuse(new Error('unavailable'));
            return;
          }
          const made = typeof command === 'function' ? command(coordinator.monotonicMs()) : command;
          const since = witness.place(this.key);
          this.#submit(coordinator, made, caller).then(
            (value) => {
              this.#checkAnswer(server, value, since);
              answer(() => resolve(value));
            },
            (error: unknown) => {
              this.#checkRefusal(server, made, error as LeaseError, since);
              refuse(error);
            },
          );
        });
      });
    });
  }

  /** It may refuse by throwing. */
  async #submit<C extends Command>(coordinator: LeaseCoordinator, command: C, caller: Client): Promise<AnswerTo<C['kind']>> {
    return coordinator.submit(command, caller);
  }

  #checkAnswer(server: Server, answer: AnswerTo<Command['kind']>, since: Place): void {
    const { witness } = this.#options.cluster;
    if ('record' in answer) {
      witness.answered(`${server.name}: ${answer.kind}`, this.key, answer.record, since);
    } else if (answer.kind === 'busy' && !answer.busy.timedOut) {
      const { holder, fencingToken } = answer.busy;
      const isSo = (record: LeaseRecord | undefined): boolean =>
        (record?.fencingToken ?? 0n) === fencingToken && (isHeld(record) ? record.holder : '') === holder;
      witness.wasTrue(`${server.name}: busy with ${holder} (${fencingToken})`, this.key, since, isSo);
    }
  }

  #checkRefusal(server: Server, command: Command, { reason }: LeaseError, since: Place): void {
    const { witness } = this.#options.cluster;
    const isLoss = ['LEASE_LOST', 'LEASE_EXPIRED', 'LEASE_NOT_FOUND'].includes(reason);
    if (command.kind === 'acquire' || !isLoss || !('fencingToken' in command)) return;
    const { fencingToken } = command;
    const isSo = (record: LeaseRecord | undefined): boolean => !isHeld(record) || record.fencingToken !== fencingToken;
    witness.wasTrue(`${server.name}: ${command.kind} of ${fencingToken} is refused as ${reason}`, this.key, since, isSo);
  }
}

/** Sends one message, which may be late or lost. */
function send({ cluster: { time, chance }, weather }: HolderOptions, arrive: () => void): void {
  const { loss } = weather();
  if (!chance.happens(loss)) time.after(delayMs(chance, weather()), arrive);
}
