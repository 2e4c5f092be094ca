import { depthMax } from '../json.js';
import { DocumentError, DocumentNumber, DocumentObject, type DocumentValue } from './document.js';
import { goQuoteByte } from './go-quote.js';

/**
 * Reads JSON and keeps what `JSON.parse` loses.
 *
 * @throws DocumentError in the words of Go's `encoding/json`
 */
export function parseJson(text: string): DocumentValue {
  return new JsonParser(text).document();
}

/** The text of a body. Bytes that are no UTF-8 become the replacement character, as in Go. */
export function toText(body: Uint8Array): string {
  return Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString();
}

/** An object or array that is still open. */
type Open = DocumentObject | DocumentValue[];

class JsonParser {
  readonly #text: string;
  #at = 0;
  /** The name whose value comes next, for each open object. */
  readonly #names: string[] = [];
  readonly #open: Open[] = [];

  constructor(text: string) {
    this.#text = text;
  }

  document(): DocumentValue {
    for (;;) {
      const value = this.#value();
      if (value === undefined) continue;
      const complete = this.#close(value);
      if (complete !== undefined) return complete;
    }
  }

  /** A value without members, or `undefined` where one with members has begun. */
  #value(): DocumentValue | undefined {
    const code = this.#skipSpace();
    switch (code) {
      case openBrace:
        return this.#begin(new DocumentObject(), closeBrace);
      case openBracket:
        return this.#begin([], closeBracket);
      case quote:
        return this.#string();
      case letterT:
        return this.#word('true', true);
      case letterF:
        return this.#word('false', false);
      case letterN:
        return this.#word('null', null);
      default:
        return this.#number(code);
    }
  }

  #begin(container: Open, end: number): DocumentValue | undefined {
    if (this.#open.length >= depthMax) throw this.#invalid('exceeded max depth');
    this.#at += 1;
    if (this.#skipSpace() === end) {
      this.#at += 1;
      return container;
    }
    this.#open.push(container);
    if (end === closeBrace) this.#name();
    return undefined;
  }

  /** Puts a complete value where it belongs, and closes what ends with it. Gives the document once that is complete. */
  #close(complete: DocumentValue): DocumentValue | undefined {
    let value = complete;
    for (let parent = this.#open.at(-1); parent !== undefined; parent = this.#open.at(-1)) {
      this.#put(value, parent);
      const isObject = parent instanceof DocumentObject;
      const code = this.#skipSpace();
      if (code === comma) {
        this.#at += 1;
        if (isObject) this.#name();
        return undefined;
      }
      if (code !== (isObject ? closeBrace : closeBracket)) {
        throw this.#invalid(isObject ? 'after object key:value pair' : 'after array element');
      }
      this.#at += 1;
      this.#open.pop();
      value = parent;
    }
    this.#skipSpace();
    if (this.#at < this.#text.length) throw this.#invalid('after top-level value');
    return value;
  }

  #put(value: DocumentValue, parent: Open): void {
    if (parent instanceof DocumentObject) {
      parent.add(this.#names.pop() ?? '', value);
    } else {
      parent.push(value);
    }
  }

  #name(): void {
    if (this.#skipSpace() !== quote) throw this.#invalid('looking for beginning of object key string');
    this.#names.push(this.#string());
    if (this.#skipSpace() !== colon) throw this.#invalid('after object key');
    this.#at += 1;
  }

  #string(): string {
    const text = this.#text;
    const start = this.#at + 1;
    for (let at = start; ; at += 1) {
      const code = text.charCodeAt(at);
      if (code === quote) {
        this.#at = at + 1;
        return text.slice(start, at);
      }
      if (code === backslash || !(code >= space)) {
        this.#at = at;
        return this.#escapedString(start);
      }
    }
  }

  /** The rest of a string from its first escape on, or from what may not be in one. */
  #escapedString(start: number): string {
    let value = '';
    let from = start;
    for (;;) {
      const code = this.#text.charCodeAt(this.#at);
      if (code === quote) {
        value += this.#text.slice(from, this.#at);
        this.#at += 1;
        return value.replace(loneSurrogates, '\ufffd');
      }
      if (!(code >= space)) throw this.#invalid('in string literal');
      if (code === backslash) {
        value += this.#text.slice(from, this.#at) + this.#escape();
        from = this.#at;
      } else {
        this.#at += 1;
      }
    }
  }

  #escape(): string {
    this.#at += 1;
    const letter = this.#text[this.#at] ?? '';
    if (letter === 'u') return this.#unicodeEscape();
    const character = escapes[letter];
    if (character === undefined) throw this.#invalid('in string escape code');
    this.#at += 1;
    return character;
  }

  #unicodeEscape(): string {
    for (let digit = 0; digit < 4; digit += 1) {
      this.#at += 1;
      if (!hexDigit.test(this.#text[this.#at] ?? '')) throw this.#invalid('in \\u hexadecimal character escape');
    }
    this.#at += 1;
    return String.fromCharCode(Number.parseInt(this.#text.slice(this.#at - 4, this.#at), 16));
  }

  #word<T extends DocumentValue>(word: string, value: T): T {
    for (const letter of word) {
      if (this.#text[this.#at] !== letter) throw this.#invalid(`in literal ${word} (expecting '${letter}')`);
      this.#at += 1;
    }
    return value;
  }

  #number(first: number): DocumentNumber {
    const start = this.#at;
    if (first === minus) {
      this.#at += 1;
    } else if (!isDigit(first)) {
      throw this.#invalid('looking for beginning of value');
    }
    // A number does not begin with a zero unless that is all there is before the point.
    if (this.#code() === zero) {
      this.#at += 1;
    } else {
      this.#digits('in numeric literal');
    }
    if (this.#code() === point) {
      this.#at += 1;
      this.#digits('after decimal point in numeric literal');
    }
    if ((this.#code() | lowerCase) === letterE) {
      this.#at += 1;
      if (this.#code() === plus || this.#code() === minus) this.#at += 1;
      this.#digits('in exponent of numeric literal');
    }
    return new DocumentNumber(this.#text.slice(start, this.#at));
  }

  /** One digit or more. */
  #digits(where: string): void {
    if (!isDigit(this.#code())) throw this.#invalid(where);
    while (isDigit(this.#code())) this.#at += 1;
  }

  /** What comes next; not a number at the end. */
  #code(): number {
    return this.#text.charCodeAt(this.#at);
  }

  /** The next character that counts, without taking it. */
  #skipSpace(): number {
    for (;;) {
      const code = this.#text.charCodeAt(this.#at);
      if (code !== space && code !== newline && code !== tab && code !== carriageReturn) return code;
      this.#at += 1;
    }
  }

  #invalid(where: string): DocumentError {
    const character = this.#text.codePointAt(this.#at);
    if (character === undefined) return new DocumentError('unexpected end of JSON input');
    return new DocumentError(`invalid character ${goQuoteByte(String.fromCodePoint(character))} ${where}`);
  }
}

function isDigit(code: number): boolean {
  return code >= zero && code <= nine;
}

const [tab, newline, carriageReturn, space] = [0x09, 0x0a, 0x0d, 0x20];
const [quote, comma, colon, backslash] = [0x22, 0x2c, 0x3a, 0x5c];
const [openBrace, closeBrace, openBracket, closeBracket] = [0x7b, 0x7d, 0x5b, 0x5d];
const [zero, nine, plus, minus, point] = [0x30, 0x39, 0x2b, 0x2d, 0x2e];
const [letterT, letterF, letterN, letterE] = [0x74, 0x66, 0x6e, 0x65];
/** The bit that makes a letter of ASCII a small one. */
const lowerCase = 0x20;

const hexDigit = /^[0-9a-fA-F]$/;

/** Halves of a pair that stand alone, which UTF-8 cannot hold: Go replaces them. */
const loneSurrogates = /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;

const escapes: Readonly<Record<string, string>> = {
  '"': '"',
  '\\': '\\',
  '/': '/',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
};
