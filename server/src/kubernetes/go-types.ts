import { goQuote } from './codec/go-quote.js';
import { isList, isObject, type Json } from './json.js';

// Kubernetes' messages about patches show values as Go prints them: clients of it have learnt to read that.

/** A value as Go's `%v` shows it. */
export function goText(value: Json): string {
  if (value === null) return '<nil>';
  if (isList(value)) return `[${value.map(goText).join(' ')}]`;
  if (!isObject(value)) return String(value);
  const keys = Object.keys(value).sort();
  return `map[${keys.map((key) => `${key}:${goText(value[key] ?? null)}`).join(' ')}]`;
}

/** A value as Go's `%#v` shows it. */
export function goSyntax(value: Json): string {
  if (value === null) return 'interface {}(nil)';
  if (typeof value === 'string') return goQuote(value);
  if (isList(value)) return `${goType(value)}{${value.map(goSyntax).join(', ')}}`;
  if (!isObject(value)) return String(value);
  const keys = Object.keys(value).sort();
  return `${goType(value)}{${keys.map((key) => `${goQuote(key)}:${goSyntax(value[key] ?? null)}`).join(', ')}}`;
}

/** The type that Go's JSON reader names when it has a value where something else is wanted. */
export function jsonType(value: Json): string {
  if (isList(value)) return 'array';
  return typeof value === 'boolean' ? 'bool' : typeof value;
}

/** The type that a value has in Go. */
export function goType(value: Json): string {
  if (value === null) return '<nil>';
  if (isList(value)) return '[]interface {}';
  if (isObject(value)) return 'map[string]interface {}';
  if (typeof value === 'number') return Number.isInteger(value) ? 'int64' : 'float64';
  return typeof value === 'boolean' ? 'bool' : 'string';
}
