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

/** The fields of a document that come twice, in the words of Kubernetes. */
export function duplicateFields(value: DocumentValue, path = ''): string[] {
  if (isList(value)) return value.flatMap((item, index) => duplicateFields(item, `${path}[${index}]`));
  if (!(value instanceof DocumentObject)) return [];
  const seen = new Set<string>();
  return value.names.flatMap((name, index) => {
    const field = path === '' ? name : `${path}.${name}`;
    const twice = seen.has(name) ? [`duplicate field ${goQuote(field)}`] : [];
    seen.add(name);
    return [...twice, ...duplicateFields(value.values[index] ?? null, field)];
  });
}

function isList<T>(value: T | readonly T[]): value is readonly T[] {
  return Array.isArray(value);
}
