/** Chance that can be repeated: numbers from 0 up to but not including 1, by a seed (mulberry32). */
export class Chance {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  between(low: number, high: number): number {
    return low + this.next() * (high - low);
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
