import { goQuote } from './codec/go-quote.js';
import { badRequest } from './status.js';

/** A switch of a query; `undefined`: it is not there. Kubernetes takes anything for a yes that is neither `false` nor `0`, nothing too. */
export function readSwitch(query: URLSearchParams, name: string): boolean | undefined {
  const value = query.get(name);
  return value === null ? undefined : value !== '0' && value.toLowerCase() !== 'false';
}

/** A whole number of a query; `undefined`: it is not there. @throws {StatusError} 400 */
export function readInteger(query: URLSearchParams, name: string): number | undefined {
  const value = query.get(name);
  if (value === null) return undefined;
  const problem = !/^[+-]?\d+$/.test(value) ? 'invalid syntax' : isInt64(value) ? undefined : 'value out of range';
  if (problem !== undefined) throw badRequest(`strconv.ParseInt: parsing ${goQuote(value)}: ${problem}`);
  return Number(value);
}

function isInt64(text: string): boolean {
  const value = BigInt(text.replace('+', ''));
  return BigInt.asIntN(64, value) === value;
}
