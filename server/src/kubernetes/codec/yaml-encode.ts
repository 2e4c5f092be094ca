import { YamlScalars } from './yaml-scalars.js';

/** YAML as Kubernetes prints it: keys in order, lists as deep as their key, long text folded. */
export function toYaml(value: object): string {
  const writer = new YamlWriter();
  writer.document(value);
  return writer.text;
}

/** Writes block style, in lines of which each one begins at its indentation. */
class YamlWriter {
  readonly #scalars = new YamlScalars();

  get text(): string {
    return this.#scalars.text;
  }

  document(value: object): void {
    if (Array.isArray(value) && value.length > 0) this.#list(value, 0);
    else if (isFilled(value)) this.#map(value, 0);
    else this.#scalars.put(JSON.stringify(value));
    this.#scalars.put('\n');
  }

  #map(object: object, indent: number): void {
    const entries = Object.entries(object).filter(([, value]) => value !== undefined);
    entries.sort(([left], [right]) => compareKeys(left, right));
    entries.forEach(([key, value], index) => {
      if (index > 0) this.#scalars.line(indent);
      this.#scalars.key(key);
      this.#scalars.put(':');
      this.#member(value, indent);
    });
  }

  /** What stands behind a key: in its line, or in lines of its own. */
  #member(value: unknown, indent: number): void {
    if (Array.isArray(value) && value.length > 0) {
      this.#scalars.line(indent);
      this.#list(value, indent);
    } else if (isFilled(value)) {
      this.#scalars.line(indent + step);
      this.#map(value, indent + step);
    } else {
      this.#leaf(value, indent);
    }
  }

  /** Objects and texts; there are no lists of lists. */
  #list(items: readonly unknown[], indent: number): void {
    items.forEach((item, index) => {
      if (index > 0) this.#scalars.line(indent);
      this.#scalars.put('-');
      if (isFilled(item)) {
        this.#scalars.put(' ');
        this.#map(item, indent + step);
      } else {
        this.#leaf(item, indent);
      }
    });
  }

  #leaf(value: unknown, indent: number): void {
    this.#scalars.put(' ');
    if (typeof value === 'string') this.#scalars.scalar(value, indent + step);
    else this.#scalars.put(JSON.stringify(value));
  }
}

const step = 2;

/** Whether it is an object with members, or not: an empty one is a leaf, and so is an empty list. */
function isFilled(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && Object.keys(value).length > 0;
}

/** Numbers in keys count as numbers, and letters come last. */
function compareKeys(left: string, right: string): number {
  const [a, b] = [Array.from(left), Array.from(right)];
  const at = a.findIndex((character, index) => character !== b[index]);
  const [x, y] = [a[at], b[at]];
  if (x === undefined || y === undefined) return a.length - b.length;
  const [isLetterX, isLetterY] = [letter.test(x), letter.test(y)];
  if (isLetterX !== isLetterY) return isLetterX ? 1 : -1;
  const number = isLetterX
    ? 0
    : compareNumbers(
        left.slice(0, at),
        [a, b].map((key) => key.slice(at).join('')),
      );
  return number === 0 ? (x.codePointAt(0) ?? 0) - (y.codePointAt(0) ?? 0) : number;
}

/** Compares the digits that keys go on with behind what they have in common. */
function compareNumbers(before: string, rests: readonly string[]): number {
  const digits = rests.map((rest) => /^\d*/.exec(rest)?.[0] ?? '');
  const [left = '', right = ''] = digits;
  // Zeros behind another digit are part of a number; in front of all others they are nothing.
  const begin = rests.some((rest) => rest.startsWith('0')) && /[1-9]\d*$/.test(before) ? '1' : '';
  const difference = BigInt(begin + left) - BigInt(begin + right);
  if (difference !== 0n) return difference < 0n ? -1 : 1;
  return left.length - right.length;
}

const letter = /^\p{L}$/u;
