/** Chance that can be repeated: every choice of a run follows from its seed. */
export class Chance {
  #state: number;

  constructor(seed: number) {
    this.#state = seed | 0;
  }

  /** From 0 up to but not including 1 (mulberry32). */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  /** Whether something happens that does so this often. */
  happens(probability: number): boolean {
    return this.next() < probability;
  }

  between(min: number, max: number): number {
    return min + this.next() * (max - min);
  }

  pick<T>(all: readonly T[]): T {
    const one = all[Math.floor(this.next() * all.length)];
    if (all.length === 0) throw new Error('There is nothing to choose from');
    return one as T;
  }

  /** One of several, each as often as its weight says. */
  draw<T extends string>(weights: Readonly<Record<T, number>>): T {
    const entries = Object.entries<number>(weights) as [T, number][];
    let left = this.next() * entries.reduce((sum, [, weight]) => sum + weight, 0);
    for (const [what, weight] of entries) {
      left -= weight;
      if (left < 0) return what;
    }
    // A rounding error of the sum is left.
    return entries[0]![0];
  }

  /** `count` of these in an order by chance: each once, then each once more, and so on, so that few rounds see many kinds. */
  deal<T>(cards: readonly T[], count: number): T[] {
    const dealt: T[] = [];
    while (dealt.length < count) {
      const deck = cards.map((card) => ({ card, place: this.next() })).sort((a, b) => a.place - b.place);
      dealt.push(...deck.map(({ card }) => card));
    }
    return dealt.slice(0, count);
  }
}
