import { setTimeout as sleep } from 'node:timers/promises';
import { LeaseNotFoundError, type Client } from '@leasehold/sdk';
import type { Chance } from '../../support/chance.js';
import type { Answered } from './history.js';
import type { Stage } from './user.js';

/** Reads from one replica, whatever the others know: what it answers must be what is so. */
export class Reader {
  readonly #name: string;
  readonly #stage: Stage;
  readonly #chance: Chance;
  readonly #client: Client;
  #isOver = false;

  constructor(name: string, stage: Stage, chance: Chance, client: Client) {
    this.#name = name;
    this.#stage = stage;
    this.#chance = chance;
    this.#client = client;
  }

  async run(): Promise<void> {
    const { leases, history } = this.#stage;
    while (!this.#isOver) {
      const lease = leases[Math.floor(this.#chance.next() * leases.length)]!;
      await history.note(this.#name, lease, { kind: 'get' }, () => this.#read(lease));
      await sleep(this.#chance.between(20, 120));
    }
  }

  stop(): void {
    this.#isOver = true;
  }

  end(): Promise<void> {
    return this.#client.close();
  }

  async #read(lease: string): Promise<Answered> {
    try {
      return { kind: 'shown', lease: await this.#client.get(lease, { timeoutMs: 1000 }) };
    } catch (error) {
      if (error instanceof LeaseNotFoundError) return { kind: 'refused', why: 'LEASE_NOT_FOUND' };
      return { kind: 'unknown', why: String(error) };
    }
  }
}
