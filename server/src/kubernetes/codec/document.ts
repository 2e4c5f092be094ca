import type { Json } from '../json.js';
import { goQuote } from './go-quote.js';

/**
 * A document as it was written, from JSON or YAML: what `JSON.parse` gives, but with fields that come twice and with numbers as text,
 * since Kubernetes answers for both.
 */
export type DocumentValue = null | boolean | string | DocumentNumber | DocumentObject | readonly DocumentValue[];

/** A number in its own words: `1.5`, `3000000000` and `1e3` are told apart only there. */
export class DocumentNumber {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** The fields of an object in their order; a name may come more than once. */
export class DocumentObject {
  readonly names: string[] = [];
  readonly values: DocumentValue[] = [];

  add(name: string, value: DocumentValue): void {
    this.names.push(name);
    this.values.push(value);
  }
}

/** Why a document cannot be read, in the words of Go's decoders. */
export class DocumentError extends Error {
  override readonly name = 'DocumentError';
}

/** A document as plain values: of fields that come twice the last counts, and numbers lose what a double cannot hold. */
export function toPlain(value: DocumentValue): Json {
  if (value instanceof DocumentNumber) return Number(value.text);
  if (value instanceof DocumentObject) {
    return Object.fromEntries(value.names.map((name, index) => [name, toPlain(value.values[index] ?? null)]));
  }
  return isList(value) ? value.map(toPlain) : value;
}

/** Plain values as a document. */
export function fromPlain(value: Json): DocumentValue {
  if (typeof value === 'number') return new DocumentNumber(String(value));
  if (isList(value)) return value.map(fromPlain);
  if (typeof value !== 'object' || value === null) return value;
  const object = new DocumentObject();
  for (const [name, member] of Object.entries(value)) object.add(name, fromPlain(member));
  return object;
}

/** The first fields of a document that come twice, in the words of Kubernetes, each once. */
export function duplicateFields(value: DocumentValue): string[] {
  const found = new Set<string>();
  let length = 0;
  for (const field of fieldsTwice(value, '')) {
    found.add(`duplicate field ${goQuote(field)}`);
    length += field.length;
    // A long name stands in the path of everything below it: there are texts that make gigabytes of it.
    if (found.size === complaintsMax || length > complaintsLengthMax) break;
  }
  return [...found];
}

function* fieldsTwice(value: DocumentValue, path: string): Generator<string> {
  if (isList(value)) {
    for (const [index, item] of value.entries()) {
      if (typeof item === 'object') yield* fieldsTwice(item, `${path}[${index}]`);
    }
  }
  if (!(value instanceof DocumentObject)) return;
  const seen = new Set<string>();
  for (const [index, name] of value.names.entries()) {
    const field = path === '' ? name : `${path}.${name}`;
    if (seen.has(name)) yield field;
    seen.add(name);
    const inside = value.values[index];
    if (typeof inside === 'object') yield* fieldsTwice(inside, field);
  }
}

/** So many complaints are enough for anybody; the rest is left out, as Kubernetes does. */
export const complaintsMax = 100;

const complaintsLengthMax = 1024 * 1024;

function isList<T>(value: T | readonly T[]): value is readonly T[] {
  return Array.isArray(value);
}
