import type { Command } from '@leasehold/core';
import { FakeClock } from '@leasehold/sdk/testing';
import { Chance } from '../model/election/chance.js';
import { calmEtcd, type EtcdWeather } from '../support/fake-etcd.js';
import { Holder } from './holder.js';
import type { Kit } from './kit.js';
import type { Participant } from './participant.js';
import { SdkHolder } from './sdk-holder.js';
import { makeEtcd, Server, type Cluster } from './servers.js';
import { ttlMs } from './ttl.js';
import type { HolderWeather } from './weather.js';
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

const calm: HolderWeather = { loss: 0, slow: 0, slowMsMax: 0 };

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
  #weather: HolderWeather = calm;
  /** Undoes what lasts. */
  readonly #undo = new Set<() => void>();
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
    const checkpointIntervalMs = this.#pick([0, 0, 1000]);
    this.#cluster = { kit, etcd, time: this.#time, chance: this.#chance, witness: this.witness, checkpointIntervalMs };
    this.#servers = ['A', 'B', 'C'].map((name) => new Server(this.#cluster, name));
    this.witness.serving = () =>
      new Set(this.#servers.filter(({ coordinator }) => coordinator !== undefined).map(({ session }) => session));
    // Some are shorter than a session lives, and some longer.
    this.#durationsMs = this.#pick([[1000], [2000, 1000], [1000, 1500, 1000], [8000, 1000]]);
  }

  /** @throws {Violation} */
  async run(): Promise<Tally> {
    for (const server of this.#servers) server.start();
    await this.#pass(500);
    for (let index = 0; index < 3 * this.#durationsMs.length; index += 1) this.#holders.push(this.#newHolder(index));
    const endMs = this.#time.monotonicMs() + faultsMs;
    const faultsMax = this.#pick([1, 1, 2, 3]);
    const pauseMs = this.#pick([500, 1000, 2500]);
    while (this.#time.monotonicMs() < endMs) {
      // With too many of them at once nothing happens any more.
      if (this.#undo.size < faultsMax) this.#disturb();
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
    const ownWeather = this.#isMixed && this.#chance.happens(0.3) ? this.#holderWeather() : undefined;
    return new Kind({
      cluster: this.#cluster,
      servers: this.#servers,
      name: `h${(this.#names += 1)}`,
      leaseName: `lease-${lease}`,
      durationMs: this.#durationsMs[lease] ?? 1000,
      weather: () => (this.#areFaultsOver ? calm : (ownWeather ?? this.#weather)),
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

  #disturb(): void {
    const server = this.#victim();
    const holder = this.#pick(this.#holders);
    const forMs = this.#pick([200, 1000, 2000, ttlMs, ttlMs, 4000, 5000, 7000, 10_000, 15_000]);
    const kinds: readonly (readonly [weight: number, does: () => void])[] = [
      [8, () => this.#besiege(server, forMs)],
      [2, () => this.#stall(server, forMs)],
      [2, () => this.#cut(server, forMs)],
      [1, () => this.#cutAll(forMs)],
      [3, () => this.#pause(server, forMs)],
      [1, () => this.#kill(server, forMs)],
      [1, () => this.#redeploy(server, forMs)],
      [2, () => this.#roughen(server, 2 * forMs)],
      [1, () => this.#roughenHolders(2 * forMs)],
      [1, () => holder?.kill()],
      [1, () => this.#pauseHolder(holder, forMs)],
      [2, () => this.#operate(server)],
      [1, () => this.#compact()],
      [2, () => this.#read(server)],
      [this.#isMixed ? 2 : 0, () => holder?.straddle()],
      [this.#isMixed ? 3 : 0, () => this.#cutOff(holder, forMs)],
      [this.#isMixed ? 3 : 0, () => this.#replace(server)],
    ];
    let left = this.#chance.between(
      0,
      kinds.reduce((sum, [weight]) => sum + weight, 0),
    );
    for (const [weight, does] of kinds) {
      left -= weight;
      if (left < 0) {
        does();
        return;
      }
    }
  }

  /** Something happens to a server whose holders stay with it, and look elsewhere at most without a word. */
  #besiege(server: Server, forMs: number): void {
    const holders = this.#holdersAt(server);
    for (const holder of holders) {
      const straddles = this.#chance.happens(0.7);
      const afterMs = this.#chance.between(0, forMs / 3);
      holder.stay(2 * forMs + 2 * ttlMs, this.#chance.happens(0.5));
      if (straddles) this.#time.after(afterMs, () => holder.clock.soon(() => holder.straddle()));
    }
    this.#pick([
      () => this.#stall(server, forMs),
      () => this.#cut(server, forMs),
      () => this.#pause(server, forMs),
      () => this.#deafen(server, forMs),
      () => this.#roughen(server, forMs),
    ])();
  }

  /** Whoever takes over from a server that hears of nothing for a moment goes at once, while that one has something to commit. */
  #replace(server: Server): void {
    const holders = this.#holdersAt(server);
    for (const holder of holders) holder.stay(4 * ttlMs, true);
    this.#stall(server, (2 * ttlMs) / 3);
    this.#time.after(50, () => {
      for (const holder of holders) holder.clock.soon(() => holder.straddle());
    });
    this.#time.after(200, () => {
      this.#operate(server);
      const isNext = (one: Server): boolean => one !== server && this.#holdersAt(one).some((holder) => holders.includes(holder));
      for (const one of this.#servers.filter(isNext)) this.#drain(one, ttlMs);
    });
  }

  #holdersAt(server: Server): Participant[] {
    const tokens = new Set(this.witness.tokensAt(server.session));
    return this.#holders.filter((holder) => holder !== undefined).filter(({ token }) => tokens.has(token));
  }

  /** What it hears is old, and then nothing that it sends arrives any more. */
  #deafen(server: Server, forMs: number): void {
    const lagging = { ...calmEtcd, lagMs: this.#chance.between(1000, 2500) };
    this.witness.note(`what ${server.name} hears of etcd is old, and in a moment it will not be heard`);
    server.link.weather = lagging;
    this.#time.after(this.#chance.between(2000, 5000), () => {
      if (server.link.weather === lagging) server.link.weather = { ...lagging, loss: 1 };
    });
    this.#later(5000 + forMs, () => (server.link.weather = calmEtcd));
  }

  /** Whoever attends a lease has most to lose. */
  #victim(): Server {
    const lease = `default/lease-${Math.floor(this.#chance.next() * this.#durationsMs.length)}`;
    const attendant = this.witness.at(lease)?.record?.attendant;
    const server = this.#servers.find(({ session }) => session === attendant);
    return server !== undefined && this.#chance.happens(0.7) ? server : this.#pick(this.#servers);
  }

  #stall(server: Server, forMs: number): void {
    this.witness.note(`the watches of ${server.name} stall for ${forMs} ms`);
    server.link.stall();
    // What it has not heard of by then it will never hear.
    if (this.#chance.happens(0.2)) this.#time.after(this.#chance.between(0, forMs), () => this.#compact());
    this.#later(forMs, () => server.link.restore());
  }

  #cut(server: Server, forMs: number): void {
    const how = this.#chance.happens(0.5) ? 'silent' : 'refusing';
    this.witness.note(`${server.name} is cut off from etcd for ${forMs} ms, ${how}`);
    server.link.cut(how);
    this.#later(forMs, () => server.link.restore());
  }

  #cutAll(forMs: number): void {
    for (const server of this.#servers) this.#cut(server, forMs);
  }

  #pause(server: Server, forMs: number): void {
    const { process } = server;
    this.witness.note(`${server.name} is paused for ${forMs} ms`);
    process?.clock.pause();
    this.#later(forMs, () => process?.clock.resume());
  }

  #kill(server: Server, forMs: number): void {
    this.witness.note(`${server.name} is killed for ${forMs} ms`);
    server.kill();
    this.#later(forMs, () => server.start());
  }

  #redeploy(server: Server, forMs: number): void {
    // Sometimes all of them are, so that the last one leaves a note.
    for (const one of this.#chance.happens(0.2) ? this.#servers : [server]) this.#drain(one, forMs);
  }

  #drain(server: Server, forMs: number): void {
    this.witness.note(`${server.name} is drained for ${forMs} ms`);
    server.stop();
    this.#later(forMs, () => {
      server.kill();
      server.start();
    });
  }

  #roughen(server: Server, forMs: number): void {
    server.link.weather = this.#etcdWeather();
    this.#later(forMs, () => (server.link.weather = calmEtcd));
  }

  #roughenHolders(forMs: number): void {
    this.#weather = this.#pick([
      { loss: 0.1, slow: 0, slowMsMax: 0 },
      { loss: 0.02, slow: 0.4, slowMsMax: forMs / 2 },
    ]);
    this.#later(forMs, () => (this.#weather = calm));
  }

  /** Of one process, for all its life. */
  #holderWeather(): HolderWeather {
    return this.#pick([
      { loss: 0, slow: 0.3, slowMsMax: 300 },
      { loss: 0.01, slow: 0.1, slowMsMax: 2000 },
      { loss: 0.05, slow: 0, slowMsMax: 0 },
    ]);
  }

  #etcdWeather(): EtcdWeather {
    return this.#pick([
      { loss: 0.05, slow: 0, slowMsMax: 0, breaks: 0.05 },
      { loss: 0.3, slow: 0, slowMsMax: 0, breaks: 0 },
      { loss: 0, slow: 0.5, slowMsMax: 300, breaks: 0 },
      { loss: 0.02, slow: 0.3, slowMsMax: 2500, breaks: 0.02 },
      { loss: 0, slow: 0.1, slowMsMax: 8000, breaks: 0 },
      // What it sends is lost, and what it hears is old.
      { loss: 1, slow: 1, slowMsMax: 2500, breaks: 0 },
      { loss: 0, slow: 1, slowMsMax: 2500, breaks: 0 },
    ]);
  }

  #pauseHolder(holder: Participant | undefined, forMs: number): void {
    holder?.pause();
    this.#later(forMs, () => holder?.resume());
  }

  #cutOff(holder: Participant | undefined, forMs: number): void {
    if (!(holder instanceof SdkHolder)) return;
    this.witness.note(`${holder.name} is cut off for ${forMs} ms`);
    this.#later(forMs, holder.cutOff());
  }

  /** Somebody ends a tenure, or deletes or annotates a lease. */
  #operate(server: Server): void {
    const lease = { namespace: 'default', name: `lease-${Math.floor(this.#chance.next() * this.#durationsMs.length)}` };
    const record = this.witness.at(`${lease.namespace}/${lease.name}`)?.record;
    const fencingToken = record?.fencingToken ?? 1n;
    const force = this.#chance.happens(0.3);
    const none = { resourceVersion: 0n, fencingToken: 0n };
    const command = this.#pick<Command>([
      { kind: 'revoke', ...lease, fencingToken, graceMs: this.#pick([0, 0, 500, 3000]), force, transferTo: '' },
      { kind: 'delete', ...lease, ...none, uid: record?.uid ?? '', force: false },
      {
        ...{ kind: 'update', ...lease, ...none, removeLabels: [], removeAnnotations: [] },
        set: { annotations: { at: String(this.#steps) }, lockDelayMs: this.#pick([undefined, 0, 0, 1500]) },
      },
    ]);
    this.witness.note(`an operator at ${server.name}: ${command.kind}${command.kind === 'revoke' && force ? ' by force' : ''}`);
    const submit = (): void => {
      if (command.kind === 'revoke' && force) this.witness.forcing(fencingToken);
      server.coordinator?.submit(command).catch(() => undefined);
    };
    server.process?.clock.soon(submit);
  }

  #compact(): void {
    const { etcd } = this.#cluster;
    if (etcd.revision > etcd.compacted) etcd.call('Compact', { revision: String(etcd.revision) });
  }

  /** What is read after catching up has everything that was committed before. */
  #read(server: Server): void {
    const { coordinator, process } = server;
    process?.clock.soon(() => {
      const { revision } = this.witness;
      coordinator?.catchUp().then(
        () => {
          if (coordinator.revision < revision)
            this.witness.report(`${server.name} reads at ${coordinator.revision}, not ${revision}`);
        },
        () => undefined,
      );
    });
  }

  /** Undoes something after so much time, or when the faults stop. */
  #later(ms: number, undo: () => void): void {
    const end = (): void => {
      cancel();
      if (this.#undo.delete(end)) undo();
    };
    this.#undo.add(end);
    const cancel = this.#time.after(ms, end);
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
    this.#weather = calm;
    this.#mend();
    const isKept = this.#retire();
    if (isKept) this.#time.after(steadyAfterMs + 1000, () => this.#takeAway(this.#victim()));
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

  #mend(): void {
    for (const end of [...this.#undo]) end();
    for (const server of this.#servers) {
      server.link.weather = calmEtcd;
      server.link.restore();
      server.start();
    }
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

  #pick<T>(all: readonly T[]): T {
    const one = all[Math.floor(this.#chance.next() * all.length)];
    if (all.length === 0) throw new Error('There is nothing to choose from');
    return one as T;
  }
}
