import type { CommittedChange, Store } from '@leasehold/core';

/** What a store is told of others. */
export interface Heard {
  readonly changes: CommittedChange[];
  readonly ended: string[];
}

/** Loads a store, and keeps what it is told from then on. */
export async function follow(store: Store): Promise<Heard> {
  const heard: Heard = { changes: [], ended: [] };
  await store.load(() => undefined);
  await store.shared!.follow({
    changed: (changes) => heard.changes.push(...changes),
    sessionEnded: (session) => heard.ended.push(session),
  });
  return heard;
}
