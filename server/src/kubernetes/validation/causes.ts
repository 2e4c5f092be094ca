import { goQuote } from '../codec/go-quote.js';
import type { StatusCause } from '../status.js';

/** Why a field is wrong, as Kubernetes puts it. */
export type Cause = Required<StatusCause>;

/** A value that breaks a rule. Texts of a type of their own in Go, and whatever is no text, are shown as JSON: see `asJson`. */
export function invalid(field: string, value: unknown, rule: string): Cause {
  return { reason: 'FieldValueInvalid', message: `Invalid value: ${shown(value)}: ${rule}`, field };
}

/** A value that is missing. */
export function required(field: string, rule: string): Cause {
  return { reason: 'FieldValueRequired', message: `Required value${rule === '' ? '' : `: ${rule}`}`, field };
}

/** A value that may not be given. */
export function forbidden(field: string, rule: string): Cause {
  return { reason: 'FieldValueForbidden', message: `Forbidden: ${rule}`, field };
}

/** A value that is none of those that there are. */
export function notSupported(field: string, value: unknown, supported: readonly string[]): Cause {
  const values = supported.map(goQuote).join(', ');
  return { reason: 'FieldValueNotSupported', message: `Unsupported value: ${shown(value)}: supported values: ${values}`, field };
}

export function tooLong(field: string, maxBytes: number): Cause {
  return { reason: 'FieldValueTooLong', message: `Too long: may not be more than ${maxBytes} bytes`, field };
}

/**
 * The first of all causes. A body can hold faults by the hundred thousand, and messages about them are longer than they are: so many
 * are enough for anybody.
 */
export function firstOf(causes: Iterable<Cause>): Cause[] {
  const first: Cause[] = [];
  let length = 0;
  for (const cause of causes) {
    first.push(cause);
    length += cause.message.length;
    if (first.length === causesMax || length > messagesMax) break;
  }
  return first;
}

const causesMax = 100;

/** How long messages can be together: one alone may show all that a body holds. */
const messagesMax = 1024 * 1024;

/** A value as messages show it: texts in Go's quotes, anything else as JSON. */
function shown(value: unknown): string {
  return typeof value === 'string' ? goQuote(value) : JSON.stringify(value ?? null);
}
