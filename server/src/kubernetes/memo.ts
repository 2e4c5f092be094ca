/**
 * Remembers what was made of a text, where few texts come over and over again: headers, sets of fields, days. Bounded, however many
 * others come: there are so many of them at most, none is longer than a thousand characters, and once they are too many, all are forgotten.
 */
export class Memo<T> {
  readonly #make: (text: string) => T;
  readonly #countMax: number;
  readonly #made = new Map<string, T>();

  constructor(countMax: number, make: (text: string) => T) {
    this.#countMax = countMax;
    this.#make = make;
  }

  /** What is thrown while it is made is thrown again the next time. */
  of(text: string): T {
    const known = this.#made.get(text);
    if (known !== undefined) return known;
    const made = this.#make(text);
    if (text.length <= lengthMax) {
      if (this.#made.size >= this.#countMax) this.#made.clear();
      this.#made.set(text, made);
    }
    return made;
  }
}

const lengthMax = 1000;
