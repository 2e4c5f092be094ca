import { createHash } from 'node:crypto';
import type { ApiAnswer, ApiRequest } from '../request.js';

/** A document that stays the same for as long as the server runs. */
export interface Document {
  readonly contentType: string;
  readonly body: string | Uint8Array;
  /** SHA-512 of it in upper-case hex: what its entity tag says, and what links to it are versioned by. */
  readonly hash: string;
}

export function jsonDocument(content: unknown, contentType?: string): Document {
  return documentOf(`${JSON.stringify(content)}\n`, contentType ?? 'application/json');
}

export function documentOf(body: string | Uint8Array, contentType: string): Document {
  return { contentType, body, hash: createHash('sha512').update(body).digest('hex').toUpperCase() };
}

/** Answers with a document, or with 304 to a client that has it: kubectl keeps what it has read on disk. */
export function serveDocument(request: ApiRequest, document: Document, more: Readonly<Record<string, string>> = {}): ApiAnswer {
  const etag = `"${document.hash}"`;
  const headers = { etag, vary: 'Accept', 'cache-control': 'public', ...more };
  const has = (request.header('if-none-match') ?? '').split(',').map((tag) => tag.trim().replace(/^W\//, ''));
  if (has.includes(etag) || has.includes('*')) {
    return { code: 304, headers, contentType: document.contentType, body: '' };
  }
  return { code: 200, headers, contentType: document.contentType, body: document.body };
}
