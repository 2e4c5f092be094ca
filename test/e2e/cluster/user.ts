import { setTimeout as sleep } from 'node:timers/promises';
import { LeaseholdError, RefusedError, UnavailableError, type Client, type HeldLease } from '@leasehold/sdk';
import type { Chance } from '../../support/chance.js';
import type { Beliefs } from './beliefs.js';
import { isRefusal, type Answered, type Asked, type History } from './history.js';

/** What all users share. */
export interface Stage {
  readonly leases: readonly string[];
  readonly history: History;
  readonly beliefs: Beliefs;
  /** Who waits for a lease just now, by what the clients know. */
  readonly waiting: Map<string, Set<string>>;
  /** What nobody should have been answered. */
  readonly surprises: string[];
}

interface Held {
  readonly lease: HeldLease;
  readonly client: Client;
}

/** Works on all leases, one command after the other, by chance. Each acquire is made under a holder's name of its own. */
export class User {
  readonly #name: string;
  readonly #stage: Stage;
  readonly #chance: Chance;
  readonly #connect: () => Client;
  readonly #held = new Map<string, Held>();
  /** Tokens of tenures that are over, for commands that come too late. */
  readonly #old = new Map<string, { readonly token: bigint; readonly holder: string }>();
  #client: Client;
  #count = 0;
  #isOver = false;

  constructor(name: string, stage: Stage, chance: Chance, connect: () => Client) {
    this.#name = name;
    this.#stage = stage;
    this.#chance = chance;
    this.#connect = connect;
    this.#client = connect();
  }

  async run(): Promise<void> {
    while (!this.#isOver) {
      this.#forgetLost();
      const held = [...this.#held.values()];
      // Who has something looks after that.
      if (held.length > 0 && this.#chance.next() < 0.6) await this.#keep(this.#chance.pick(held));
      else await this.#want(this.#chance.pick(this.#stage.leases));
      await sleep(this.#chance.between(10, 120));
    }
  }

  /** Gives back what it holds, once `run` has come to its end. */
  stop(): void {
    this.#isOver = true;
  }

  async end(): Promise<void> {
    this.#forgetLost();
    await Promise.all([...this.#held.values()].map(({ lease }) => this.#release(lease)));
    await this.#client.close();
  }

  #keep({ lease, client }: Held): Promise<unknown> {
    const { fencingToken: token, holder } = lease;
    switch (this.#chance.draw({ renew: 4, update: 3, release: 3, transfer: 3, hold: 3, crash: 0.5 })) {
      case 'renew':
        return this.#renew(lease.name, token, holder);
      case 'update':
        return this.#update(lease.name, token);
      case 'release':
        return this.#release(lease);
      case 'transfer':
        return this.#transfer(lease);
      case 'hold':
        // Its heartbeats do what is to be done.
        return sleep(this.#chance.between(200, 1500));
      case 'crash':
        return this.#crash(client);
    }
  }

  #want(name: string): Promise<unknown> {
    const old = this.#old.get(name);
    switch (this.#chance.draw({ acquire: 4, wait: 4, get: 3, update: 1, validate: 1, late: old === undefined ? 0 : 1 })) {
      case 'acquire':
        return this.#acquire(name, 0);
      case 'wait':
        return this.#acquire(name, this.#chance.between(300, 3000));
      case 'get':
        return this.#note(name, { kind: 'get' }, async () => ({ kind: 'shown', lease: await this.#client.get(name) }));
      case 'update':
        return this.#update(name, undefined);
      case 'validate':
        return this.#validate(name, old?.token ?? 1n);
      case 'late':
        return this.#late(name, old!);
    }
  }

  async #acquire(name: string, waitMs: number): Promise<void> {
    if (this.#held.has(name)) return;
    const holder = this.#mark();
    const durationMs = this.#chance.pick([1000, 3000, 8000]);
    const waiting = this.#stage.waiting.get(name) ?? new Set();
    this.#stage.waiting.set(name, waiting);
    if (waitMs > 0) waiting.add(holder);
    const client = this.#client;
    await this.#note(name, { kind: 'acquire', holder }, async () => {
      const { granted, busy } = await client.acquire(name, { holder, durationMs, waitMs });
      if (granted === undefined) return { kind: 'busy', holder: busy.holder, token: busy.fencingToken };
      this.#held.set(name, { lease: granted, client });
      this.#stage.beliefs.add(granted);
      return { kind: 'granted', token: granted.fencingToken };
    });
    waiting.delete(holder);
  }

  #renew(name: string, token: bigint, holder: string): Promise<Answered> {
    return this.#note(name, { kind: 'renew', token }, async () => {
      const { resourceVersion: version } = await this.#client.renew(name, { fencingToken: token, holder });
      return { kind: 'renewed', version };
    });
  }

  #update(name: string, token: bigint | undefined): Promise<Answered> {
    const mark = this.#mark();
    return this.#note(name, { kind: 'update', mark, token }, async () => {
      const lease = await this.#client.update(name, { labels: { [this.#name]: mark }, fencingToken: token });
      return { kind: 'shown', lease };
    });
  }

  #release(lease: HeldLease): Promise<Answered> {
    return this.#note(lease.name, { kind: 'release', token: lease.fencingToken, to: '' }, async () => {
      await lease.release();
      return { kind: 'over' };
    });
  }

  async #transfer(lease: HeldLease): Promise<void> {
    const waiting = [...(this.#stage.waiting.get(lease.name) ?? [])];
    if (waiting.length === 0 || lease.status !== 'held') return;
    const to = this.#chance.pick(waiting);
    await this.#note(lease.name, { kind: 'release', token: lease.fencingToken, to }, async () => {
      await lease.transfer(to);
      return { kind: 'over' };
    });
  }

  #validate(name: string, token: bigint): Promise<Answered> {
    return this.#note(name, { kind: 'validate', token }, async () => {
      const { valid, lease } = await this.#client.validate(name, { fencingToken: token });
      return { kind: 'validity', valid, lease };
    });
  }

  /** A command of a tenure that is over. */
  async #late(name: string, { token, holder }: { token: bigint; holder: string }): Promise<void> {
    if (this.#chance.next() < 0.5) {
      await this.#renew(name, token, holder);
      return;
    }
    await this.#note(name, { kind: 'release', token, to: '' }, async () => {
      await this.#client.release(name, { fencingToken: token });
      return { kind: 'over' };
    });
  }

  /** A client that ends without a word: its leases run out. */
  async #crash(client: Client): Promise<void> {
    this.#client = this.#connect();
    await client.close({ release: false });
  }

  #forgetLost(): void {
    for (const [name, { lease }] of this.#held) {
      if (lease.status !== 'lost') continue;
      this.#held.delete(name);
      this.#old.set(name, { token: lease.fencingToken, holder: lease.holder });
    }
  }

  #note(name: string, asked: Asked, work: () => Promise<Answered>): Promise<Answered> {
    return this.#stage.history.note(this.#name, name, asked, async () => {
      try {
        return await work();
      } catch (error) {
        return this.#answerOf(error, asked);
      }
    });
  }

  #answerOf(error: unknown, asked: Asked): Answered {
    if (!(error instanceof LeaseholdError)) throw error;
    const { reason } = error;
    // An acquire may have been granted and lost again before it was answered.
    if (asked.kind !== 'acquire' && isRefusal(reason)) return { kind: 'refused', why: reason };
    const isExpected = error instanceof UnavailableError || asked.kind === 'acquire' || asked.kind === 'release';
    if (!isExpected || error instanceof RefusedError) this.#stage.surprises.push(`${asked.kind}: ${reason}: ${error.message}`);
    return { kind: 'unknown', why: reason };
  }

  /** A text that nobody else has written, which is a name of a holder and a label. */
  #mark(): string {
    this.#count += 1;
    return `${this.#name}-${this.#count}`;
  }
}
