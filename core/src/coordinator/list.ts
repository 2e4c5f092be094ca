import type { LeaseView, ListPage, ListQuery } from './api.js';
import type { LeaseTable } from './lease-table.js';
import { invalidField } from '../lease/errors.js';
import type { Limits } from '../lease/limits.js';
import { isVisible, type LeaseKey, type LeaseRecord } from '../lease/record.js';

/** How many leases one page looks at, when a selector matches few of them: then the page is short, and has a next one. */
const scanMax = 20_000;

/** Reads a page of leases. @throws {LeaseError} `INVALID_FIELD` of `page_size`, `page_token`. */
export function listPage(table: LeaseTable, query: ListQuery, context: ListContext): ListPage {
  const { limits } = context;
  if (query.pageSize < 0 || query.pageSize > limits.pageSizeMax) {
    throw invalidField('page_size', `must be 0 to ${limits.pageSizeMax}`, query.pageSize);
  }
  const size = query.pageSize === 0 ? limits.pageSizeDefault : query.pageSize;
  const start = query.pageToken === '' ? { after: '', revision: context.revision } : readToken(query);
  const leases: LeaseView[] = [];
  let scanned = 0;
  let last: LeaseKey = '';
  for (const { key, record } of table.after(start.after, query.namespace)) {
    if (leases.length === size || scanned === scanMax) {
      return { leases, nextPageToken: writeToken(query, last, start.revision), revision: start.revision };
    }
    scanned++;
    last = key;
    if (isVisible(record) && query.selector.matches(record.labels)) {
      leases.push({ record, remainingMs: context.remainingMs(record) });
    }
  }
  return { leases, nextPageToken: '', revision: start.revision };
}

export interface ListContext {
  readonly limits: Limits;
  readonly revision: bigint;
  remainingMs(record: LeaseRecord): number | undefined;
}

/** A page token says where the last page ended, at which revision the first one was read, and what was asked for. */
function writeToken(query: ListQuery, after: LeaseKey, revision: bigint): string {
  return `v1 ${revision} ${after} ${query.namespace} ${query.selector.text}`;
}

function readToken(query: ListQuery): { after: LeaseKey; revision: bigint } {
  const token = /^v1 (\d{1,19}) (\S+) (\S*) (.*)$/s.exec(query.pageToken);
  if (token === null) {
    throw invalidField('page_token', 'must be the next_page_token of an earlier answer', query.pageToken);
  }
  if (token[3] !== query.namespace || token[4] !== query.selector.text) {
    throw invalidField('page_token', 'must be used with the namespace and the label_selector of the first page', query.pageToken);
  }
  return { after: token[2] ?? '', revision: BigInt(token[1] ?? '0') };
}
