import type { Selector, StringMap } from '@leasehold/core';
import { goQuote } from '../codec/go-quote.js';
import { badRequest } from '../status.js';
import { keyComplaints, labelValueComplaints } from '../validation/formats.js';

/**
 * Reads a label selector: requirements joined by commas, each of `key`, `!key`, `key=value`, `key==value`, `key!=value`,
 * `key in (a,b)`, `key notin (a,b)`, `key>1`, `key<1`. `!=` and `notin` also select what does not have the label.
 *
 * @throws {StatusError} 400, in the words of Kubernetes.
 */
export function parseLabelSelector(text: string): Selector {
  const requirements = new Parser(text).requirements();
  return { text, matches: (labels) => requirements.every((requirement) => requirement(labels)) };
}

type Requirement = (labels: StringMap) => boolean;

class Parser {
  /** Symbols and words, and at the end an empty one. */
  readonly #tokens: readonly string[];
  #at = 0;

  constructor(text: string) {
    this.#tokens = [...(text.match(/==|!=|[=!(),<>]|[^=!(),<> \t\r\n]+/g) ?? []), ''];
  }

  requirements(): Requirement[] {
    const requirements: Requirement[] = [];
    for (;;) {
      const token = this.#peek();
      if (token === '') return requirements;
      if (!isWord(token) && token !== '!') throw unexpected(token, "expected: !, identifier, or 'end of string'");
      requirements.push(this.#requirement());
      const separator = this.#next();
      if (separator === '') return requirements;
      if (separator !== ',') throw unexpected(separator, "expected: ',' or 'end of string'");
      const following = this.#peek();
      if (!isWord(following) && following !== '!') throw unexpected(following, "expected: identifier after ','");
    }
  }

  #requirement(): Requirement {
    const isNegated = this.#peek() === '!' && this.#next() === '!';
    const key = this.#next();
    if (!isWord(key)) throw unreadable(`found '${key}', expected: identifier`);
    const complaints = keyComplaints(key);
    if (complaints.length > 0) throw unreadable(`<nil>: Invalid value: ${goQuote(key)}: ${complaints.join('; ')}`);
    if (isNegated || this.#peek() === '' || this.#peek() === ',') {
      return (labels) => Object.hasOwn(labels, key) !== isNegated;
    }
    return this.#comparison(key);
  }

  #comparison(key: string): Requirement {
    const operator = this.#next();
    switch (operator) {
      case 'in':
      case 'notin': {
        const values = new Set(checkedValues(key, this.#values()));
        return (labels) => (Object.hasOwn(labels, key) && values.has(labels[key] ?? '')) === (operator === 'in');
      }
      case '=':
      case '==':
      case '!=': {
        const [value] = checkedValues(key, [this.#value()]);
        return (labels) => (Object.hasOwn(labels, key) && labels[key] === value) !== (operator === '!=');
      }
      case '>':
      case '<':
        return greaterOrLess(key, operator, this.#value());
      default:
        throw unreadable(`found '${operator}', expected: in, notin, =, ==, !=, gt, lt`);
    }
  }

  #value(): string {
    const token = this.#peek();
    if (token === '' || token === ',') return '';
    this.#next();
    if (!isWord(token)) throw unreadable(`found '${token}', expected: identifier`);
    return token;
  }

  /** What stands in parentheses; nothing between commas is an empty value. */
  #values(): string[] {
    const open = this.#next();
    if (open !== '(') throw unreadable(`found '${open}' expected: '('`);
    const values: string[] = [];
    for (let value = ''; ;) {
      const token = this.#next();
      if (isWord(token) && value === '') {
        value = token;
      } else if (token === ',' || token === ')') {
        values.push(value);
        value = '';
        if (token === ')') return values;
      } else {
        throw unreadable(`found '${token}', expected: ${value === '' ? "',', ')' or identifier" : "',' or ')'"}`);
      }
    }
  }

  #peek(): string {
    return this.#tokens[this.#at] ?? '';
  }

  #next(): string {
    const token = this.#peek();
    this.#at += 1;
    return token;
  }
}

function greaterOrLess(key: string, operator: '>' | '<', value: string): Requirement {
  const bound = toInteger(value);
  if (bound === undefined) {
    throw unreadable(`values[0]: Invalid value: ${goQuote(value)}: for 'Gt', 'Lt' operators, the value must be an integer`);
  }
  checkedValues(key, [value]);
  return (labels) => {
    const actual = Object.hasOwn(labels, key) ? toInteger(labels[key] ?? '') : undefined;
    if (actual === undefined) return false;
    return operator === '>' ? actual > bound : actual < bound;
  };
}

function checkedValues(key: string, values: readonly string[]): readonly string[] {
  for (const [index, value] of values.entries()) {
    const complaints = labelValueComplaints(value);
    if (complaints.length === 0) continue;
    throw unreadable(`values[${index}][${key}]: Invalid value: ${goQuote(value)}: ${complaints.join('; ')}`);
  }
  return values;
}

function isWord(token: string): boolean {
  return token !== '' && !/^[=!(),<>]/.test(token);
}

/** A whole number of 64 bits. */
function toInteger(text: string): bigint | undefined {
  if (!/^[+-]?\d{1,19}$/.test(text)) return undefined;
  const value = BigInt(text.replace('+', ''));
  return BigInt.asIntN(64, value) === value ? value : undefined;
}

function unexpected(token: string, rule: string): Error {
  return badRequest(`found '${token}', ${rule}`);
}

function unreadable(why: string): Error {
  return badRequest(`unable to parse requirement: ${why}`);
}
