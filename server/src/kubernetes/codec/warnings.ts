/**
 * The value of a `Warning` header (RFC 7234), which clients print. Each text comes once. Too many of them are cut short, and then left
 * out, because clients refuse answers with long headers.
 */
export function warningHeader(texts: readonly string[]): string {
  const distinct = [...new Set(texts)].filter((text) => !control.test(text));
  const total = distinct.reduce((sum, text) => sum + text.length, 0);
  return (total <= totalMax ? distinct : firstOf(distinct))
    .map((text) => `299 - "${asBytes(text.replace(/["\\]/g, '\\$&'))}"`)
    .join(', ');
}

function firstOf(texts: readonly string[]): string[] {
  return texts.map((text) => text.slice(0, cutMax)).slice(0, totalMax / cutMax);
}

/** Node writes headers in Latin-1: the bytes of UTF-8 as characters. */
function asBytes(text: string): string {
  return Buffer.from(text).toString('latin1');
}

const totalMax = 4096;
const cutMax = 256;
const control = /\p{Cc}/u;
