import { FakeClock } from '@leasehold/sdk/testing';
import { Chance } from '../support/chance.js';
import { Faults } from './faults.js';
import { Holder } from './holder.js';
import type { Kit } from './kit.js';
import type { Participant } from './participant.js';
import { SdkHolder } from './sdk-holder.js';
import { makeEtcd, Server, type Cluster } from './servers.js';
import { ttlMs } from './ttl.js';
import { calm } from './weather.js';
import { Witness } from './witness.js';

/** For how long faults happen. */
const faultsMs = 40_000;

/** How long everything may take to be served, granted and released once the faults have stopped; see `#conclude`. */
const recoversMs = 15_000;

/**
 * When, after the faults have stopped, whoever uses the SDK has to be able to keep what it has: all servers have opened their stores again,
 * and the last connections that carry nothing have been noticed. And for how long it then does.
 */
const steadyAfterMs = 10_000;
const keptMs = 14_000;

/** For how long a server is then away, so that leases have to be released without it. */
const awayMs = 8000;

/** A run takes a few thousand. */
const stepsMax = 100_000;

/** Whether holders are modelled by hand, or some of them use the SDK. */
export type HolderKinds = 'modelled' | 'mixed';

/** What a run came to. */
export interface Tally {
  readonly steps: number;
  readonly counts: Readonly<Record<string, number>>;
}

/** Three servers on one etcd, holders, and the networks between them, in one process and in virtual time. */
export class Simulation {
  readonly witness: Witness;
  readonly #time = new FakeClock();
  readonly #chance: Chance;
  readonly #cluster: Cluster;
  readonly #servers: readonly Server[];
  readonly #holders: (Participant | undefined)[] = [];
  /** Who comes once the faults have stopped. */
  readonly #last = new Set<Participant>();
  readonly #durationsMs: readonly number[];
  #names = 0;
  readonly #faults: Faults;
  #areFaultsOver = false;
  #steps = 0;
  readonly #holderKinds: HolderKinds;

  constructor(kit: Kit, seed: number, holderKinds: HolderKinds) {
    this.#holderKinds = holderKinds;
    const startMs = this.#time.monotonicMs();
    this.witness = new Witness(() => this.#time.monotonicMs() - startMs);
    this.#chance = new Chance(seed);
    const etcd = makeEtcd(this.witness);
    // A server that commits nothing notices least.
    const checkpointIntervalMs = this.#chance.pick([0, 0, 1000]);
    this.#cluster = { kit, etcd, time: this.#time, chance: this.#chance, witness: this.witness, checkpointIntervalMs };
    this.#servers = ['A', 'B', 'C'].map((name) => new Server(this.#cluster, name));
    this.witness.serving = () =>
      new Set(this.#servers.filter(({ coordinator }) => coordinator !== undefined).map(({ session }) => session));
    // Some are shorter than a session lives, and some longer.
    this.#durationsMs = this.#chance.pick([[1000], [2000, 1000], [1000, 1500, 1000], [8000, 1000]]);
    this.#faults = new Faults({
      cluster: this.#cluster,
      servers: this.#servers,
      holders: this.#holders,
      leases: this.#durationsMs.length,
      isMixed: this.#isMixed,
    });
  }

  /** @throws {Violation} */
  async run(): Promise<Tally> {
    for (const server of this.#servers) server.start();
    await this.#pass(500);
    for (let index = 0; index < 3 * this.#durationsMs.length; index += 1) this.#holders.push(this.#newHolder(index));
    const endMs = this.#time.monotonicMs() + faultsMs;
    const faultsMax = this.#chance.pick([1, 1, 2, 3]);
    const pauseMs = this.#chance.pick([500, 1000, 2500]);
    while (this.#time.monotonicMs() < endMs) {
      // With too many of them at once nothing happens any more.
      if (this.#faults.lasting < faultsMax) this.#faults.disturb();
      await this.#pass(this.#chance.happens(0.3) ? this.#chance.between(0, 200) : this.#chance.between(0, 2 * pauseMs));
      this.#refill();
    }
    await this.#conclude();
    return { steps: this.#steps, counts: this.witness.counts };
  }

  async #pass(ms: number): Promise<void> {
    const endMs = this.#time.monotonicMs() + ms;
    while (await this.#time.step(endMs - this.#time.monotonicMs())) this.#look();
    this.#look();
  }

  #look(): void {
    this.#steps += 1;
    if (this.#steps > stepsMax) this.witness.report('time does not get on');
    for (const server of this.#servers) server.check();
    for (const holder of this.#holders) if (holder instanceof SdkHolder) holder.look();
    this.witness.look();
  }

  #newHolder(index: number): Participant {
    const lease = index % this.#durationsMs.length;
    const Kind = this.#isMixed && this.#chance.happens(0.5) ? SdkHolder : Holder;
    const ownWeather = this.#isMixed && this.#chance.happens(0.3) ? this.#faults.holderWeather() : undefined;
    return new Kind({
      cluster: this.#cluster,
      servers: this.#servers,
      name: `h${(this.#names += 1)}`,
      leaseName: `lease-${lease}`,
      durationMs: this.#durationsMs[lease] ?? 1000,
      weather: () => (this.#areFaultsOver ? calm : (ownWeather ?? this.#faults.weather)),
      isEager: (holder) => !this.#areFaultsOver || (this.#last.has(holder) && holder.token === 0n),
    });
  }

  get #isMixed(): boolean {
    return this.#holderKinds === 'mixed';
  }

  /** Who has died is replaced by somebody else. */
  #refill(): void {
    this.#holders.forEach((holder, index) => {
      if (holder !== undefined && !holder.isGone) return;
      if (this.#chance.happens(0.3)) this.#holders[index] = this.#newHolder(index);
    });
  }

  /**
   * The faults stop. Whoever holds a lease dies, or if it uses the SDK may keep it for a while; who waits, waits on, and gives the lease up
   * once it has it; and two more come for each.
   *
   * All servers serve again, every waiter has its lease or an answer, and all servers and watchers have the same, within `recoversMs`,
   * the sessions of the dead, and the durations of all leases.
   */
  async #conclude(): Promise<void> {
    this.witness.note('the faults stop');
    this.#areFaultsOver = true;
    this.#faults.mend();
    const isKept = this.#retire();
    if (isKept) this.#time.after(steadyAfterMs + 1000, () => this.#takeAway(this.#faults.victim()));
    const settled = (): boolean => this.#unsettled().length === 0;
    const endMs =
      this.#time.monotonicMs() + (isKept ? keptMs + awayMs : 0) + recoversMs + 2 * (ttlMs + Math.max(...this.#durationsMs));
    const startMs = this.#time.monotonicMs();
    while (!settled() && this.#time.monotonicMs() < endMs) await this.#pass(100);
    this.witness.counts['settledAfterMs'] = Math.round(this.#time.monotonicMs() - startMs);
    for (const what of this.#unsettled()) this.witness.report(what);
    this.witness.look();
    for (const server of this.#servers) server.kill();
    for (const holder of this.#holders) holder?.kill();
  }

  /** Lets everybody finish, and two more come for each lease. @returns whether somebody keeps what it has for a while. */
  #retire(): boolean {
    let isKept = false;
    for (const holder of this.#holders) {
      if (holder?.isWaiting === true) {
        holder.giveUp();
      } else if (holder instanceof SdkHolder && !holder.isIdle && this.#chance.happens(0.5)) {
        holder.keep(steadyAfterMs, keptMs);
        isKept = true;
      } else {
        holder?.kill();
      }
    }
    for (let index = 0; index < 2 * this.#durationsMs.length; index += 1) {
      const holder = this.#newHolder(index);
      holder.giveUp();
      if (holder instanceof SdkHolder) {
        holder.keep(steadyAfterMs, keptMs);
        isKept = true;
      }
      this.#last.add(holder);
      this.#holders.push(holder);
    }
    return isKept;
  }

  /** A server that goes while nothing else fails costs nobody who uses the SDK a lease, and can be done without for a release. */
  #takeAway(server: Server): void {
    const drains = this.#chance.happens(0.5);
    this.witness.note(`${server.name} is ${drains ? 'drained' : 'killed'}, and nothing else`);
    if (drains) server.stop();
    else server.kill();
    this.#time.after(awayMs, () => {
      server.kill();
      server.start();
    });
  }

  /** What is not yet as it has to be in the end. */
  #unsettled(): string[] {
    const { revision } = this.witness;
    // A server that has gone may be left in the record of a lease that nobody wants.
    const sessions = new Set(this.#servers.map(({ session }) => session));
    const servers = this.#servers.flatMap((server) => {
      const { coordinator, name } = server;
      if (coordinator === undefined) return [`${name} does not serve`];
      if (coordinator.revision !== revision) return [`${name} is at ${coordinator.revision}, not ${revision}`];
      return server.hasSeenAll ? [] : [`the watcher at ${name} has not seen everything`];
    });
    const waits = (holder: Participant | undefined): boolean =>
      holder !== undefined && (!holder.isIdle || (this.#last.has(holder) && holder.token === 0n));
    const holders = this.#holders.filter(waits).map((holder) => `${holder?.name ?? ''} waits yet`);
    const leases = this.#durationsMs
      .map((_, index) => this.witness.at(`default/lease-${index}`)?.record)
      .filter((record) => record?.state === 'HELD' || record?.waiting.some(({ session }) => sessions.has(session)) === true)
      .map((record) => `${record?.name ?? ''} is ${record?.state ?? ''} by ${record?.holder ?? ''}, or somebody waits`);
    return [...servers, ...holders, ...leases];
  }
}
