import type { Chance } from '../../support/chance.js';
import type { Beliefs } from './beliefs.js';
import type { Answered, Asked, History } from './history.js';

/** What all writers share. */
export interface Stage {
  readonly history: History;
  readonly beliefs: Beliefs;
  readonly leases: readonly string[];
  /** Names of those who may wait in a queue of gRPC. */
  readonly holders: readonly string[];
  /** Takes one of the operations that are left; `false`: there are none. */
  readonly take: () => boolean;
}

/** Somebody who works on all leases, one operation after the other, by chance. */
export abstract class Writer {
  readonly name: string;
  protected readonly stage: Stage;
  protected readonly chance: Chance;
  #operations = 0;

  constructor(name: string, stage: Stage, chance: Chance) {
    this.name = name;
    this.stage = stage;
    this.chance = chance;
  }

  async run(): Promise<void> {
    while (this.stage.take()) await this.act(this.chance.pick(this.stage.leases));
  }

  protected abstract act(lease: string): Promise<void>;

  /** A text that nobody else has written: so contents tell who wrote them. */
  protected mark(): string {
    this.#operations += 1;
    return `${this.name}-${this.#operations}`;
  }

  protected note(lease: string, asked: Asked, work: () => Promise<Answered>): Promise<Answered> {
    return this.stage.history.note(this.name, lease, asked, work);
  }
}
