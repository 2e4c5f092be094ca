import type { Command } from '@leasehold/core';
import type { FakeClock } from '@leasehold/sdk/testing';
import type { Chance } from '../support/chance.js';
import { calmEtcd, type EtcdWeather } from '../support/fake-etcd.js';
import type { Participant } from './participant.js';
import { SdkHolder } from './sdk-holder.js';
import type { Cluster, Server } from './servers.js';
import { ttlMs } from './ttl.js';
import { calm, type HolderWeather } from './weather.js';
import type { Witness } from './witness.js';

/** What faults happen to. */
export interface FaultsParts {
  readonly cluster: Cluster;
  readonly servers: readonly Server[];
  /** Those of the moment. */
  readonly holders: readonly (Participant | undefined)[];
  /** How many there are. */
  readonly leases: number;
  /** Whether some holders use the SDK. */
  readonly isMixed: boolean;
}

/** What goes wrong with servers, holders and their networks, and what operators do meanwhile; all of it by chance. */
export class Faults {
  /** The network of all holders that have none of their own. */
  weather: HolderWeather = calm;
  readonly #parts: FaultsParts;
  readonly #time: FakeClock;
  readonly #chance: Chance;
  readonly #witness: Witness;
  /** Undoes what lasts. */
  readonly #undo = new Set<() => void>();
  #operations = 0;

  constructor(parts: FaultsParts) {
    this.#parts = parts;
    const { time, chance, witness } = parts.cluster;
    this.#time = time;
    this.#chance = chance;
    this.#witness = witness;
  }

  /** How many last at the moment. */
  get lasting(): number {
    return this.#undo.size;
  }

  /** Something happens to somebody. */
  disturb(): void {
    const server = this.victim();
    const holder = this.#chance.pick(this.#parts.holders);
    const forMs = this.#chance.pick([200, 1000, 2000, ttlMs, ttlMs, 4000, 5000, 7000, 10_000, 15_000]);
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
      [this.#parts.isMixed ? 2 : 0, () => holder?.straddle()],
      [this.#parts.isMixed ? 3 : 0, () => this.#cutOff(holder, forMs)],
      [this.#parts.isMixed ? 3 : 0, () => this.#replace(server)],
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

  /** All that lasts ends. */
  mend(): void {
    for (const end of [...this.#undo]) end();
    for (const server of this.#parts.servers) {
      server.link.weather = calmEtcd;
      server.link.restore();
      server.start();
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
    this.#chance.pick([
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
      for (const one of this.#parts.servers.filter(isNext)) this.#drain(one, ttlMs);
    });
  }

  #holdersAt(server: Server): Participant[] {
    const tokens = new Set(this.#witness.tokensAt(server.session));
    return this.#parts.holders.filter((holder) => holder !== undefined).filter(({ token }) => tokens.has(token));
  }

  /** What it hears is old, and then nothing that it sends arrives any more. */
  #deafen(server: Server, forMs: number): void {
    const lagging = { ...calmEtcd, lagMs: this.#chance.between(1000, 2500) };
    this.#witness.note(`what ${server.name} hears of etcd is old, and in a moment it will not be heard`);
    server.link.weather = lagging;
    this.#time.after(this.#chance.between(2000, 5000), () => {
      if (server.link.weather === lagging) server.link.weather = { ...lagging, loss: 1 };
    });
    this.#later(5000 + forMs, () => (server.link.weather = calmEtcd));
  }

  /** Whoever attends a lease has most to lose. */
  victim(): Server {
    const lease = `default/lease-${Math.floor(this.#chance.next() * this.#parts.leases)}`;
    const attendant = this.#witness.at(lease)?.record?.attendant;
    const server = this.#parts.servers.find(({ session }) => session === attendant);
    return server !== undefined && this.#chance.happens(0.7) ? server : this.#chance.pick(this.#parts.servers);
  }

  #stall(server: Server, forMs: number): void {
    this.#witness.note(`the watches of ${server.name} stall for ${forMs} ms`);
    server.link.stall();
    // What it has not heard of by then it will never hear.
    if (this.#chance.happens(0.2)) this.#time.after(this.#chance.between(0, forMs), () => this.#compact());
    this.#later(forMs, () => server.link.restore());
  }

  #cut(server: Server, forMs: number): void {
    const how = this.#chance.happens(0.5) ? 'silent' : 'refusing';
    this.#witness.note(`${server.name} is cut off from etcd for ${forMs} ms, ${how}`);
    server.link.cut(how);
    this.#later(forMs, () => server.link.restore());
  }

  #cutAll(forMs: number): void {
    for (const server of this.#parts.servers) this.#cut(server, forMs);
  }

  #pause(server: Server, forMs: number): void {
    const { process } = server;
    this.#witness.note(`${server.name} is paused for ${forMs} ms`);
    process?.clock.pause();
    this.#later(forMs, () => process?.clock.resume());
  }

  #kill(server: Server, forMs: number): void {
    this.#witness.note(`${server.name} is killed for ${forMs} ms`);
    server.kill();
    this.#later(forMs, () => server.start());
  }

  #redeploy(server: Server, forMs: number): void {
    // Sometimes all of them are, so that the last one leaves a note.
    for (const one of this.#chance.happens(0.2) ? this.#parts.servers : [server]) this.#drain(one, forMs);
  }

  #drain(server: Server, forMs: number): void {
    this.#witness.note(`${server.name} is drained for ${forMs} ms`);
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
    this.weather = this.#chance.pick([
      { loss: 0.1, slow: 0, slowMsMax: 0 },
      { loss: 0.02, slow: 0.4, slowMsMax: forMs / 2 },
    ]);
    this.#later(forMs, () => (this.weather = calm));
  }

  /** Of one process, for all its life. */
  holderWeather(): HolderWeather {
    return this.#chance.pick([
      { loss: 0, slow: 0.3, slowMsMax: 300 },
      { loss: 0.01, slow: 0.1, slowMsMax: 2000 },
      { loss: 0.05, slow: 0, slowMsMax: 0 },
    ]);
  }

  #etcdWeather(): EtcdWeather {
    return this.#chance.pick([
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
    this.#witness.note(`${holder.name} is cut off for ${forMs} ms`);
    this.#later(forMs, holder.cutOff());
  }

  /** Somebody ends a tenure, or deletes or annotates a lease. */
  #operate(server: Server): void {
    const lease = { namespace: 'default', name: `lease-${Math.floor(this.#chance.next() * this.#parts.leases)}` };
    const record = this.#witness.at(`${lease.namespace}/${lease.name}`)?.record;
    const fencingToken = record?.fencingToken ?? 1n;
    const force = this.#chance.happens(0.3);
    const none = { resourceVersion: 0n, fencingToken: 0n };
    const command = this.#chance.pick<Command>([
      { kind: 'revoke', ...lease, fencingToken, graceMs: this.#chance.pick([0, 0, 500, 3000]), force, transferTo: '' },
      { kind: 'delete', ...lease, ...none, uid: record?.uid ?? '', force: false },
      {
        ...{ kind: 'update', ...lease, ...none, removeLabels: [], removeAnnotations: [] },
        set: { annotations: { at: String((this.#operations += 1)) }, lockDelayMs: this.#chance.pick([undefined, 0, 0, 1500]) },
      },
    ]);
    this.#witness.note(`an operator at ${server.name}: ${command.kind}${command.kind === 'revoke' && force ? ' by force' : ''}`);
    const submit = (): void => {
      if (command.kind === 'revoke' && force) this.#witness.forcing(fencingToken);
      server.coordinator?.submit(command).catch(() => undefined);
    };
    server.process?.clock.soon(submit);
  }

  #compact(): void {
    const { etcd } = this.#parts.cluster;
    if (etcd.revision > etcd.compacted) etcd.call('Compact', { revision: String(etcd.revision) });
  }

  /** What is read after catching up has everything that was committed before. */
  #read(server: Server): void {
    const { coordinator, process } = server;
    process?.clock.soon(() => {
      const { revision } = this.#witness;
      coordinator?.catchUp().then(
        () => {
          if (coordinator.revision < revision)
            this.#witness.report(`${server.name} reads at ${coordinator.revision}, not ${revision}`);
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
}
