import { invalidField } from './errors.js';
import type { Limits } from './limits.js';
import type { StringMap } from './record.js';
import { isQualifiedName } from './validate.js';

/** Selects leases by their labels. */
export interface Selector {
  /** The text it was parsed from; empty: it selects everything. */
  readonly text: string;
  matches(labels: StringMap): boolean;
}

/** Selects everything. */
export const everything: Selector = { text: '', matches: () => true };

/**
 * Parses a label selector in Kubernetes' syntax: requirements joined by commas, each of `key`, `!key`, `key=value`, `key==value`,
 * `key!=value`, `key in (a,b)`, `key notin (a,b)`, `key>1`, `key<1`. `!=` and `notin` also match when the key is absent.
 *
 * @throws {LeaseError} `INVALID_FIELD` of `label_selector`.
 */
export function parseSelector(text: string, limits: Pick<Limits, 'selectorBytesMax'>): Selector {
  if (text.trim() === '') {
    return everything;
  }
  if (text.length > limits.selectorBytesMax) {
    throw invalidField('label_selector', `must have at most ${limits.selectorBytesMax} bytes`, text.length);
  }
  const requirements = splitRequirements(text).map((part) => parseRequirement(part, text));
  return { text, matches: (labels) => requirements.every((requirement) => requirement(labels)) };
}

type Requirement = (labels: StringMap) => boolean;

/** Splits at the commas outside of parentheses. */
function splitRequirements(text: string): string[] {
  const parts: string[] = [];
  let depth = 0;
  let start = 0;
  for (let at = 0; at < text.length; at++) {
    const character = text[at];
    if (character === '(') {
      depth++;
    } else if (character === ')') {
      depth--;
    } else if (character === ',' && depth === 0) {
      parts.push(text.slice(start, at));
      start = at + 1;
    }
  }
  parts.push(text.slice(start));
  return parts;
}

function parseRequirement(part: string, text: string): Requirement {
  const set = /^\s*(\S+)\s+(in|notin)\s*\(([^()]*)\)\s*$/.exec(part);
  if (set !== null) {
    const key = checkKey(set[1] ?? '', text);
    const values = new Set((set[3] ?? '').split(',').map((value) => checkValue(value.trim(), text)));
    const wanted = set[2] === 'in';
    return (labels) => {
      const value = own(labels, key);
      return value === undefined ? !wanted : values.has(value) === wanted;
    };
  }
  const comparison = /^\s*([^\s=!<>()]+)\s*(==|=|!=|<|>)\s*([^\s=!<>()]*)\s*$/.exec(part);
  if (comparison !== null) {
    return compare(checkKey(comparison[1] ?? '', text), comparison[2] ?? '', comparison[3] ?? '', text);
  }
  const existence = /^\s*(!?)\s*([^\s=!<>()]+)\s*$/.exec(part);
  if (existence !== null) {
    const key = checkKey(existence[2] ?? '', text);
    const wanted = existence[1] === '';
    return (labels) => (own(labels, key) !== undefined) === wanted;
  }
  throw invalidField(
    'label_selector',
    `must be requirements in the syntax of Kubernetes, but ${JSON.stringify(part)} is none`,
    text,
  );
}

function compare(key: string, operator: string, value: string, text: string): Requirement {
  switch (operator) {
    case '=':
    case '==':
      checkValue(value, text);
      return (labels) => own(labels, key) === value;
    case '!=':
      checkValue(value, text);
      return (labels) => own(labels, key) !== value;
    default: {
      if (!/^-?\d{1,18}$/.test(value)) {
        throw invalidField('label_selector', `must compare ${JSON.stringify(key)} to an integer`, text);
      }
      const bound = BigInt(value);
      return (labels) => {
        const actual = own(labels, key);
        if (actual === undefined || !/^-?\d{1,18}$/.test(actual)) {
          return false;
        }
        return operator === '<' ? BigInt(actual) < bound : BigInt(actual) > bound;
      };
    }
  }
}

function own(labels: StringMap, key: string): string | undefined {
  return Object.hasOwn(labels, key) ? labels[key] : undefined;
}

function checkKey(key: string, text: string): string {
  if (!isQualifiedName(key)) {
    throw invalidField('label_selector', `must have qualified names as keys, but ${JSON.stringify(key)} is none`, text);
  }
  return key;
}

function checkValue(value: string, text: string): string {
  if (value !== '' && !/^[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/.test(value)) {
    throw invalidField('label_selector', `must have label values, but ${JSON.stringify(value)} is none`, text);
  }
  return value;
}
