import type { Chance } from '../../support/chance.js';

/** A request as bytes: its line, its headers and its body. */
export interface Request {
  readonly line: string;
  readonly headers: string;
  readonly body: Buffer;
}

/** Spoils requests by chance, so that what comes of them is nearly right. */
export class Mutator {
  readonly #chance: Chance;

  constructor(chance: Chance) {
    this.#chance = chance;
  }

  /** The bytes of a request of which something is wrong. */
  spoil({ line, headers, body }: Request): Buffer {
    const what = this.#chance.pick(['body', 'body', 'body', 'value', 'value', 'line', 'headers', 'whole'] as const);
    if (what === 'whole') return this.#times(bytesOf({ line, headers, body }), (bytes) => this.#bytes(bytes));
    return bytesOf({
      line: what === 'line' ? this.#times(line, (text) => this.#text(text)) : line,
      headers: what === 'headers' ? this.#times(headers, (text) => this.#text(text)) : headers,
      body:
        what === 'body'
          ? this.#times(body, (bytes) => this.#bytes(bytes))
          : what === 'value'
            ? this.#times(body, (bytes) => this.#value(bytes))
            : body,
    });
  }

  /** Once, or some times more. */
  #times<T>(value: T, change: (value: T) => T): T {
    let changed = change(value);
    while (this.#chance.next() < 0.4) changed = change(changed);
    return changed;
  }

  #bytes(bytes: Buffer): Buffer {
    const at = this.#below(bytes.length + 1);
    const length = this.#below(Math.min(20, bytes.length - at) + 1);
    const [before, some, after] = [bytes.subarray(0, at), bytes.subarray(at, at + length), bytes.subarray(at + length)];
    switch (this.#chance.pick(['flip', 'cut', 'drop', 'repeat', 'insert', 'move'] as const)) {
      case 'flip':
        return Buffer.concat([before, Buffer.from(some.map((byte) => byte ^ (1 << this.#below(8)))), after]);
      case 'cut':
        return Buffer.from(before);
      case 'drop':
        return Buffer.concat([before, after]);
      case 'repeat':
        return Buffer.concat([before, ...Array<Buffer>(this.#chance.pick([2, 10, 1000])).fill(some), after]);
      case 'insert':
        return Buffer.concat([before, Buffer.from(this.#chance.pick(odd), 'latin1'), after]);
      case 'move':
        return Buffer.concat([before, after, some]);
    }
  }

  /** Puts something else in place of one value of a text. */
  #value(bytes: Buffer): Buffer {
    const text = bytes.toString('latin1');
    const values = [...text.matchAll(/"[^"]*"|[\w.-]+|\{\}|\[\]/g)];
    if (values.length === 0) return this.#bytes(bytes);
    const { 0: value, index } = this.#chance.pick(values);
    return Buffer.from(text.slice(0, index) + this.#chance.pick(odd) + text.slice(index + value.length), 'latin1');
  }

  /** A line end would make something else of a line. */
  #text(text: string): string {
    return this.#bytes(Buffer.from(text, 'latin1')).toString('latin1').replaceAll(/\r?\n/g, ' ');
  }

  #below(end: number): number {
    return Math.floor(this.#chance.next() * end);
  }
}

/** A request as it is sent, on a connection of its own. */
export function bytesOf({ line, headers, body }: Request): Buffer {
  const length = body.length === 0 ? '' : `Content-Length: ${body.length}\r\n`;
  return Buffer.concat([
    Buffer.from(`${line}\r\nHost: a\r\nConnection: close\r\n${headers === '' ? '' : `${headers}\r\n`}${length}\r\n`, 'latin1'),
    body,
  ]);
}

/** What is likely to be wrong where it stands. */
const odd: readonly string[] = [
  ...['null', 'true', '{}', '[]', '""', '-1', '0', '1e999', '1.5', '2147483648', '9223372036854775808', '9'.repeat(400)],
  ...[
    '"__proto__"',
    '"constructor"',
    '"toString"',
    '"\\ud800"',
    '"\\u0000"',
    '"a/b/c"',
    `"${'a'.repeat(300)}"`,
    '"é"',
    '"\xff"',
    '"-"',
  ],
  ...[
    '{"a":{"a":{"a":{}}}}',
    '[[[[[]]]]]',
    '{',
    '}',
    '[',
    ']',
    ',',
    ':',
    '"',
    "'",
    '\\',
    '\0',
    '\n',
    '\t',
    '\r\n',
    '#',
    '&',
    '*',
    '!',
    '%',
    '|',
    '>',
  ],
  ...[
    '&a',
    '*a',
    '<<: *a',
    '---\n',
    '%00',
    '%ff',
    '%',
    '?',
    '=',
    ';',
    '+',
    '~1',
    '/-',
    '/..',
    '0x1',
    '.nan',
    '2026-13-01T00:00:00Z',
    '\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01',
    '\x12\xff\xff\xff\xff\x07',
  ],
];
