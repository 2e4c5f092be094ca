import type { Chance } from '../../e2e/elections/chance.js';
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
    while (this.stage.take()) await this.act(this.pick(this.stage.leases));
  }

  protected abstract act(lease: string): Promise<void>;

  protected pick<T>(from: readonly T[]): T {
    return from[Math.floor(this.chance.next() * from.length)]!;
  }

  /** One of several, each as often as its weight says. */
  protected draw<T extends string>(weights: Readonly<Record<T, number>>): T {
    const entries = Object.entries<number>(weights) as [T, number][];
    let left = this.chance.next() * entries.reduce((sum, [, weight]) => sum + weight, 0);
    for (const [what, weight] of entries) {
      left -= weight;
      if (left < 0) return what;
    }
    return entries[0]![0];
  }

  /** A text that nobody else has written: so contents tell who wrote them. */
  protected mark(): string {
    this.#operations += 1;
    return `${this.name}-${this.#operations}`;
  }

  protected note(lease: string, asked: Asked, work: () => Promise<Answered>): Promise<Answered> {
    return this.stage.history.note(this.name, lease, asked, work);
  }
}
