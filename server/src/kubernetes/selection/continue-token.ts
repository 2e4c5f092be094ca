import { posix } from 'node:path';
import { DocumentError, DocumentNumber, DocumentObject } from '../codec/document.js';
import { goQuote } from '../codec/go-quote.js';
import { parseJson } from '../codec/json-parse.js';
import { badRequest } from '../status.js';

/** Where a list goes on. */
export interface Continuation {
  /** At which revision; `undefined`: at the newest one. */
  readonly revision: bigint | undefined;
  /** After which lease, as its key without what all keys of the list begin with. */
  readonly after: string;
}

/** The token with which a client asks for the next page, in the form that kube-apiserver gives it. */
export function writeContinue({ revision, after }: Continuation): string {
  const token = `{"v":"meta.k8s.io/v1","rv":${revision ?? -1},"start":${JSON.stringify(`${after}\0`)}}`;
  return Buffer.from(token).toString('base64url');
}

/** @throws {StatusError} 400 */
export function readContinue(token: string): Continuation {
  const { version, revision, start } = readFields(decode(token));
  if (version !== 'meta.k8s.io/v1') throw invalidToken(`: server does not recognize this encoded version ${version}`);
  if (revision === 0n) throw invalidToken(': incorrect encoded start resourceVersion (version meta.k8s.io/v1)');
  if (start === '') throw invalidToken(': encoded start key empty (version meta.k8s.io/v1)');
  const rooted = start.startsWith('/') ? start : `/${start}`;
  if (posix.resolve('/', rooted) !== rooted) throw invalidToken(`: ${start}`);
  return { revision: revision < 0n ? undefined : revision, after: rooted.slice(1).replace(/\0$/, '') };
}

interface Fields {
  readonly version: string;
  readonly revision: bigint;
  readonly start: string;
}

function decode(token: string): string {
  const position = token.search(/[^\w-]/);
  if (position >= 0) throw invalidToken(`: illegal base64 data at input byte ${position}`);
  if (token.length % 4 === 1) throw invalidToken(`: illegal base64 data at input byte ${token.length - 1}`);
  const bytes = Buffer.from(token, 'base64url');
  const first = bytes.toString('latin1', 0, 1);
  if (first !== '{') throw invalidToken(`: invalid character '${goQuote(first).slice(1, -1)}' looking for beginning of value`);
  return bytes.toString();
}

function readFields(text: string): Fields {
  const fields = { v: '', rv: 0n, start: '' };
  try {
    const document = parseJson(text);
    if (!(document instanceof DocumentObject)) throw new DocumentError('json: cannot unmarshal into continueToken');
    for (const [index, name] of document.names.entries()) {
      const value = document.values[index];
      if (name === 'rv' && value instanceof DocumentNumber && isInt64(value.text)) fields.rv = BigInt(value.text);
      else if ((name === 'v' || name === 'start') && typeof value === 'string') fields[name] = value;
      else if (name in fields) throw new DocumentError(`json: cannot unmarshal field continueToken.${name}`);
    }
  } catch (error) {
    throw error instanceof DocumentError ? invalidToken(`: ${error.message}`) : error;
  }
  return { version: fields.v, revision: fields.rv, start: fields.start };
}

function isInt64(text: string): boolean {
  return /^-?\d{1,19}$/.test(text) && BigInt.asIntN(64, BigInt(text)) === BigInt(text);
}

function invalidToken(why: string): Error {
  return badRequest(`invalid continue token: continue key is not valid${why}`);
}
