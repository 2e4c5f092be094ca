import { isPrintable } from '../codec/go-quote.js';

/**
 * The name under which fields are owned: what the query says, or else what the user agent begins with, as kube-apiserver reads it.
 *
 * @param fieldManager `?fieldManager`, as checked; empty: there is none.
 * @param userAgent the header; empty: there is none.
 */
export function managerName(fieldManager: string, userAgent: string): string {
  if (fieldManager !== '') return fieldManager;
  const [product = ''] = userAgent.split('/');
  let name = '';
  for (const character of product) {
    if (!isPrintable(character)) continue;
    if (Buffer.byteLength(name + character) > managerBytesMax) break;
    name += character;
  }
  return name;
}

/** FieldManagerMaxLength of apimachinery. */
const managerBytesMax = 128;
