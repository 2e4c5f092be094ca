import type { CommittedChange } from '../lease/change.js';
import { LeaseError } from '../lease/errors.js';
import type { HistoryPage, Store } from '../store/store.js';

/**
 * Reads changes after a revision from the store, oldest first, at most `limit` of them.
 *
 * @throws {LeaseError} `REVISION_COMPACTED`, `REVISION_UNKNOWN`, `STORE_UNAVAILABLE`
 */
export async function readHistory(store: Store, after: bigint, limit: number): Promise<readonly CommittedChange[]> {
  const page = await readPage(store, after, limit);
  switch (page.kind) {
    case 'page':
      return page.changes;
    case 'compacted':
      throw gone('REVISION_COMPACTED', 'is older than the history kept', after, page.oldest);
    case 'unknown':
      throw gone('REVISION_UNKNOWN', 'was never issued here', after, page.oldest);
  }
}

/** From which revision on the store has the history. @throws {LeaseError} `STORE_UNAVAILABLE` */
export async function oldestRevision(store: Store): Promise<bigint> {
  // Making a store takes a revision, so that it never has a history from 0 on.
  const page = await readPage(store, 0n, 1);
  return page.kind === 'page' ? 0n : page.oldest;
}

function readPage(store: Store, after: bigint, limit: number): Promise<HistoryPage> {
  return store.history(after, limit).catch((cause: unknown) => {
    throw new LeaseError('STORE_UNAVAILABLE', 'The history cannot be read', {}, { cause });
  });
}

function gone(reason: 'REVISION_COMPACTED' | 'REVISION_UNKNOWN', why: string, revision: bigint, oldest: bigint): LeaseError {
  return new LeaseError(reason, `Revision ${revision} ${why}, the oldest one is ${oldest}`, { oldestRevision: oldest });
}
