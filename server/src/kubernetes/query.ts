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

/**
 * Looks at how long the client waits, which has no other consequence here: it is a bound from above, and answers come at once. A watch
 * has another parameter for it.
 *
 * @throws {StatusError} 400: it is no duration as Go writes it.
 */
export function checkTimeout(query: URLSearchParams): void {
  const value = query.get('timeout') ?? '';
  if (value === '' || goDuration.test(value) || readSwitch(query, 'watch') === true) return;
  const number = /^[+-]?(?:\d+\.?\d*|\.\d+)/.exec(value)?.[0];
  const unit = number === undefined ? undefined : /^[^\d.]*/.exec(value.slice(number.length))?.[0];
  const quoted = goQuote(value);
  const why =
    unit === undefined
      ? `invalid duration ${quoted}`
      : unit === ''
        ? `missing unit in duration ${quoted}`
        : `unknown unit ${goQuote(unit)} in duration ${quoted}`;
  throw badRequest(`invalid timeout specified in the request URL - time: ${why}`);
}

const goDuration = /^[+-]?(?:0|(?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+)$/;

function isInt64(text: string): boolean {
  const value = BigInt(text.replace('+', ''));
  return BigInt.asIntN(64, value) === value;
}
