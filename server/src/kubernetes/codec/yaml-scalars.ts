import { resolvePlain } from './yaml-decode.js';

/** Text of YAML, and in which column it is: texts that go beyond the last one are folded at their spaces. */
export class YamlScalars {
  #parts: string[] = [];
  #column = 0;

  get text(): string {
    return this.#parts.join('');
  }

  /** Text without line breaks, as it is. */
  put(text: string): void {
    this.#parts.push(text);
    this.#column += Array.from(text).length;
  }

  /** Begins a line. */
  line(indent: number): void {
    this.#parts.push('\n', ' '.repeat(indent));
    this.#column = indent;
  }

  /** A key, which is never folded. */
  key(text: string): void {
    const style = styleOf(text);
    // A key without quotes would be taken for an instruction to merge.
    this.#write(text, style === 'literal' || text === '<<' ? 'double' : style, undefined);
  }

  /** A text. @param indent of the lines that it goes on in. */
  scalar(text: string, indent: number): void {
    this.#write(text, styleOf(text), indent);
  }

  #write(text: string, style: Style, indent: number | undefined): void {
    switch (style) {
      case 'literal':
        this.#literal(text, indent ?? 0);
        break;
      case 'plain':
        this.#folded(text, indent, (character) => character);
        break;
      case 'single':
        this.put("'");
        this.#folded(text, indent, (character) => (character === "'" ? "''" : character));
        this.put("'");
        break;
      case 'double':
        this.put('"');
        this.#double(text, indent);
        this.put('"');
    }
  }

  /** Lines as they are. */
  #literal(text: string, indent: number): void {
    const hint = /^[ \n]/.test(text) ? '2' : '';
    this.put(`|${hint}${text.endsWith('\n\n') || text === '\n' ? '+' : text.endsWith('\n') ? '' : '-'}`);
    const lines = text.replace(/\n$/, '').split('\n');
    for (const line of lines) {
      if (line === '') this.#parts.push('\n');
      else {
        this.line(indent);
        this.put(line);
      }
    }
  }

  /** Writes text that is broken where a single space stands beyond the last column. `indent`: `undefined`, it is not. */
  #folded(text: string, indent: number | undefined, written: (character: string) => string): void {
    const characters = Array.from(text);
    characters.forEach((character, index) => {
      const isSingle = character === ' ' && characters[index - 1] !== ' ' && characters[index + 1] !== ' ';
      const isInside = index > 0 && index < characters.length - 1;
      if (isSingle && isInside && indent !== undefined && this.#column > width) this.line(indent);
      else this.put(written(character));
    });
  }

  #double(text: string, indent: number | undefined): void {
    const characters = Array.from(text);
    let afterSpace = false;
    characters.forEach((character, index) => {
      const isInside = index > 0 && index < characters.length - 1;
      if (character === ' ' && !afterSpace && isInside && indent !== undefined && this.#column > width) {
        this.line(indent);
        // Without it, a space at the beginning of a line would be lost.
        if (characters[index + 1] === ' ') this.put('\\');
      } else {
        this.put(escaped(character));
      }
      afterSpace = character === ' ';
    });
  }
}

type Style = 'plain' | 'single' | 'double' | 'literal';

/** How a text is written: the plainest way in which readers take it for that text. */
function styleOf(text: string): Style {
  if (unprintable.test(text) || text.includes('\t')) return 'double';
  // Lines that end with spaces would lose them.
  if (text.includes('\n')) return / $| \n/.test(text) ? 'double' : 'literal';
  if (resolvePlain(text) !== text || base60.test(text) || timestamp.test(text)) return 'double';
  const isPlain = !/^ | $/.test(text) && !indicators.test(text);
  return isPlain ? 'plain' : 'single';
}

function escaped(character: string): string {
  const short = shortEscapes.get(character);
  if (short !== undefined) return `\\${short}`;
  if (!unprintable.test(character)) return character;
  const hex = (character.codePointAt(0) ?? 0).toString(16).toUpperCase();
  if (hex.length <= 2) return `\\x${hex.padStart(2, '0')}`;
  return hex.length <= 4 ? `\\u${hex.padStart(4, '0')}` : `\\U${hex.padStart(8, '0')}`;
}

const shortEscapes: ReadonlyMap<string, string> = new Map(
  Object.entries({
    ...{ '\0': '0', '\x07': 'a', '\b': 'b', '\t': 't', '\n': 'n', '\v': 'v', '\f': 'f', '\r': 'r', '\x1b': 'e', '"': '"' },
    ...{ '\\': '\\', '\x85': 'N', '\u2028': 'L', '\u2029': 'P' },
  }),
);

/** The column behind which texts are folded. */
const width = 80;

/** What begins something else than text, where it stands at the beginning or between words. */
const indicators = /^(?:[#,[\]{}&*!|>'"%@`]|[?:-](?:[ \t]|$)|---|\.\.\.)|:(?:[ \t]|$)|[ \t]#/;

/** Controls, line breaks that are not everybody's, and what has no place in the first plane. */
const unprintable = /[^\t\n\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd]/u;

/** What other readers of YAML 1.1 take for numbers and times. */
const base60 = /^[-+]?\d[\d_]*(?::[0-5]?\d)+(?:\.[\d_]*)?$/;
const timestamp = /^\d{4}-\d\d?-\d\d?(?:[Tt ]\d\d?:\d\d?:\d\d?(?:\.\d+)?(?:Z|[-+]\d\d:\d\d)?)?$/;
