import { Memo } from '../memo.js';
import { DocumentError } from './document.js';
import { goQuote } from './go-quote.js';

/** How many digits of a second a time is written with: `Time` of meta/v1 has none, `MicroTime` six. */
export type Fraction = 0 | 6;

/**
 * Reads a time as clients write it: RFC 3339 with `Z` or an offset and any digits of a second up to nine. kube-apiserver takes a
 * MicroTime with exactly six digits only, so that clients which write milliseconds never get a lease; that difference is deliberate.
 *
 * @returns the time in UTC with exactly so many digits; `undefined` for Go's zero time in whole seconds, which Kubernetes takes for none
 * @throws DocumentError in the words of Go's `time.Parse`
 */
export function parseTime(text: string, fraction: Fraction): string | undefined {
  if (canonical[fraction].test(text) && text !== zeroTime) return text;
  const match = timePattern.exec(text);
  if (match === null) throw new DocumentError(explain(text, fraction));
  const part = (index: number): string => match[index] ?? '';
  const outOfRange = firstOutOfRange(part);
  if (outOfRange !== undefined) throw new DocumentError(`parsing time ${goQuote(text)}: ${outOfRange} out of range`);

  const local = Date.parse(`${part(1)}-${part(2)}-${part(3)}T${part(4).padStart(2, '0')}:${part(5)}:${part(6)}Z`) / 1000;
  const offset = (Number(part(9)) * 60 + Number(part(10))) * 60;
  const micros = part(7).padEnd(6, '0').slice(0, 6);
  const time = format(part(8) === '-' ? local + offset : local - offset, micros, fraction);
  if (time === undefined) throw new DocumentError(`parsing time ${goQuote(text)}: year out of range`);
  return time === zeroTime ? undefined : time;
}

/** A time with six digits of a second, and otherwise as it was written; a text that is no time as it is. */
export function withSixDigits(text: string): string {
  const match = timePattern.exec(text);
  if (match === null || match[7]?.length === 6) return text;
  const micros = (match[7] ?? '').padEnd(6, '0').slice(0, 6);
  return text.replace(/(:\d\d)(?:[.,]\d+)?(?=Z$|[+-]\d\d:\d\d$)/, `$1.${micros}`);
}

/**
 * A time of protobuf as text; `undefined` for Go's zero time in whole seconds.
 *
 * @throws DocumentError where the year does not have four digits
 */
export function timeFromParts(seconds: number, nanos: number, fraction: Fraction): string | undefined {
  const micros = Math.trunc(nanos / 1000);
  const carry = Math.floor(micros / 1_000_000);
  const digits = String(micros - carry * 1_000_000).padStart(6, '0');
  const time = format(seconds + (fraction === 0 ? 0 : carry), digits, fraction);
  if (time === undefined) throw new DocumentError('proto: Timestamp: seconds out of range');
  return time === zeroTime ? undefined : time;
}

/** Milliseconds since 1970 as a time in whole seconds. @throws DocumentError where the year does not have four digits */
export function wholeSeconds(ms: number): string {
  const time = format(Math.floor(ms / 1000), '', 0);
  if (time === undefined) throw new DocumentError(`the year of ${ms} ms since 1970 has more than four digits`);
  return time;
}

/** The parts of a time that `parseTime` has made. */
export function timeToParts(time: string): { seconds: number; nanos: number } {
  const ofDay = (Number(time.slice(11, 13)) * 60 + Number(time.slice(14, 16))) * 60 + Number(time.slice(17, 19));
  return { seconds: daySeconds.of(time.slice(0, 10)) + ofDay, nanos: Number(time.slice(20, 26)) * 1000 };
}

/** Go's zero time as a `MicroTime`: Kubernetes keeps it, and shows it as `null`. */
export const zeroMicroTime = '0001-01-01T00:00:00.000000Z';

function format(seconds: number, micros: string, fraction: Fraction): string | undefined {
  if (!(seconds >= firstSecond && seconds <= lastSecond)) return undefined;
  const day = Math.floor(seconds / secondsOfDay);
  const ofDay = seconds - day * secondsOfDay;
  const ofHour = ofDay % 3600;
  const whole = `${dates.of(String(day))}T${twoDigits(ofDay / 3600)}:${twoDigits(ofHour / 60)}:${twoDigits(ofHour % 60)}`;
  return fraction === 0 ? `${whole}Z` : `${whole}.${micros}Z`;
}

function twoDigits(number: number): string {
  return number < 10 ? `0${Math.trunc(number)}` : String(Math.trunc(number));
}

const secondsOfDay = 86_400;

/** A lease says four times of few days: only those are reckoned as a calendar. */
const dates = new Memo(100, (day) => new Date(Number(day) * secondsOfDay * 1000).toISOString().slice(0, 10));
const daySeconds = new Memo(100, (date) => Date.parse(date) / 1000);

function firstOutOfRange(part: (index: number) => string): string | undefined {
  const found = ranges.find(([index, , min, max]) => Number(part(index)) < min || Number(part(index)) > max);
  if (found !== undefined) return found[1];
  const day = Number(part(3));
  return day < 1 || day > daysIn(Number(part(1)), Number(part(2))) ? 'day' : undefined;
}

function daysIn(year: number, month: number): number {
  const leap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  return month === 2 && leap ? 29 : (monthDays[month - 1] ?? 31);
}

/** What Go says of a text that is no time: which part of its layout does not fit, and what stands there. */
function explain(text: string, fraction: Fraction): string {
  let rest = text;
  for (const [element, pattern] of layout) {
    const found = pattern.exec(rest)?.[0];
    if (found === undefined) {
      return `parsing time ${goQuote(text)} as ${goQuote(layoutNames[fraction])}: cannot parse ${goQuote(rest)} as ${goQuote(element)}`;
    }
    rest = rest.slice(found.length);
  }
  return `parsing time ${goQuote(text)}: extra text: ${goQuote(rest)}`;
}

const timePattern = /^(\d{4})-(\d\d)-(\d\d)T(\d\d?):(\d\d):(\d\d)(?:[.,](\d{1,9}))?(?:Z|([+-])(\d\d):(\d\d))$/;

/** Times that are as they should be already, on days that every month has. */
const canonical = {
  0: /^\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|1\d|2[0-8])T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\dZ$/,
  6: /^\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|1\d|2[0-8])T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d\.\d{6}Z$/,
} as const;

/** Parts of that pattern, what Go calls them, and what they can be; offsets of a whole day and a whole hour can be, too. */
const ranges: readonly (readonly [part: number, name: string, min: number, max: number])[] = [
  [2, 'month', 1, 12],
  [4, 'hour', 0, 23],
  [5, 'minute', 0, 59],
  [6, 'second', 0, 59],
  [9, 'time zone offset hour', 0, 24],
  [10, 'time zone offset minute', 0, 60],
];

/** The elements of Go's layout for RFC 3339, and what may stand there. */
const layout: readonly (readonly [element: string, pattern: RegExp])[] = [
  ['2006', /^\d{4}/],
  ['-', /^-/],
  ['01', /^\d\d/],
  ['-', /^-/],
  ['02', /^\d\d/],
  ['T', /^T/],
  ['15', /^\d\d?/],
  [':', /^:/],
  ['04', /^\d\d/],
  [':', /^:/],
  ['05', /^\d\d/],
  ['.000000', /^(?:[.,]\d{1,9}(?!\d)|(?![.,]))/],
  ['Z07:00', /^(?:Z|[+-]\d\d:\d\d)/],
];

const layoutNames = { 0: '2006-01-02T15:04:05Z07:00', 6: '2006-01-02T15:04:05.000000Z07:00' } as const;
const zeroTime = '0001-01-01T00:00:00Z';
const monthDays = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/** The years 0000 to 9999, in seconds since 1970. */
const firstSecond = -62_167_219_200;
const lastSecond = 253_402_300_799;
