import { goQuote } from '../codec/go-quote.js';
import { badRequest } from '../status.js';

/** Selects objects by what they are called. */
export interface FieldSelector {
  readonly terms: readonly FieldTerm[];
}

/** What a field has to be, or must not be. */
export interface FieldTerm {
  readonly field: string;
  readonly value: string;
  readonly isNegated: boolean;
}

/** The fields that objects of a kind are selected by. */
export interface SelectableFields {
  readonly names: readonly string[];
  /** What is said of others, in the words of Kubernetes. */
  readonly refusal: (name: string) => string;
}

const fieldsOfLeases: SelectableFields = {
  names: ['metadata.name', 'metadata.namespace'],
  refusal: (name) => `${goQuote(name)} is not a known field selector: only "metadata.name", "metadata.namespace"`,
};

/**
 * Reads a field selector: terms joined by commas, each of `field=value`, `field==value`, `field!=value`. In values, a backslash stands
 * before commas, equals signs and backslashes.
 *
 * @throws {StatusError} 400, in the words of Kubernetes.
 */
export function parseFieldSelector(text: string, fields: SelectableFields = fieldsOfLeases): FieldSelector {
  const parts = splitTerms(text).sort();
  return { terms: parts.filter((part) => part !== '').map((part) => parseTerm(part, text, fields)) };
}

/** The value that a field has to have; `undefined`: the selector does not say. */
export function exactValue({ terms }: FieldSelector, field: string): string | undefined {
  return terms.find((term) => term.field === field && !term.isNegated)?.value;
}

function parseTerm(term: string, selector: string, fields: SelectableFields): FieldTerm {
  const [, label, operator, value] = /^(.*?)(!=|==|=)(.*)$/s.exec(term) ?? [];
  if (label === undefined || value === undefined) throw badRequest(`invalid selector: '${selector}'; can't understand '${term}'`);
  const unescaped = unescape(value);
  if (!fields.names.includes(label)) throw badRequest(fields.refusal(label));
  return { field: label, value: unescaped, isNegated: operator === '!=' };
}

/** Splits at the commas that have no backslash before them. */
function splitTerms(text: string): string[] {
  const terms: string[] = [];
  let start = 0;
  for (let at = 0; at < text.length; at += 1) {
    if (text[at] === '\\') {
      at += 1;
    } else if (text[at] === ',') {
      terms.push(text.slice(start, at));
      start = at + 1;
    }
  }
  return [...terms, text.slice(start)];
}

function unescape(value: string): string {
  return value.replaceAll(/\\(.?)|[,=]/gsu, (found, escaped: string | undefined) => {
    if (escaped === undefined) {
      throw badRequest(`invalid field selector: unescaped character in value: ${found.charCodeAt(0)}`);
    }
    if (!['\\', ',', '='].includes(escaped)) throw badRequest(`invalid field selector: invalid escape sequence: ${found}`);
    return escaped;
  });
}
