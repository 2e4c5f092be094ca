import { leaseKey, nobodyElsewhere, type Change, type LeaseRecord, type Store } from '@leasehold/core';
import { isMark, markUnfinished } from './unfinished.js';

/** Why leases are not copied into a store, in words that follow its name. */
export class TargetError extends Error {
  override readonly name = 'TargetError';
}

/** Everything that a store holds. */
export interface Content {
  readonly records: readonly LeaseRecord[];
  readonly revision: bigint;
}

/** Loads everything that a store holds. */
export async function readContent(store: Store): Promise<Content> {
  const records: LeaseRecord[] = [];
  const { revision } = await store.load((piece) => {
    for (const record of piece) records.push(record);
  });
  return { records, revision };
}

/**
 * Copies leases into an empty store that begins above their revision. They keep every field but the resource version, which rises. So
 * do the fencing tokens of the future: all revisions of the target are above all of the source. Its history begins with the copy.
 *
 * Until the end the target is marked, and refused by servers. One that is marked already is cleared and filled anew.
 *
 * @param beforeEnd called when all is copied; if it throws, the mark stays.
 * @throws {TargetError} the store is not empty, or begins too low; nothing was changed.
 */
export async function copyLeases({ records, revision }: Content, target: Store, beforeEnd: () => void): Promise<void> {
  const present = await readContent(target);
  const begun = present.records.find(isMark);
  const [other] = present.records;
  if (begun === undefined && other !== undefined) {
    throw new TargetError(`is not empty: it holds ${leaseKey(other.namespace, other.name)}`);
  }
  const floor = await floorOf(target);
  if (begun === undefined && floor !== present.revision) {
    throw new TargetError('holds no leases, but their history: it has been used');
  }
  if (floor <= revision) {
    throw new TargetError(`was made at revision ${floor}, which is not above ${revision}, the last one of the source`);
  }
  const [marked] = begun === undefined ? await target.commit([markUnfinished]) : [];
  const rest = present.records.filter((record) => record !== begun);
  await commitAll(target, rest.map(removal));
  await commitAll(target, records.map(addition));
  beforeEnd();
  await commitAll(target, [begun ?? marked?.record].filter((mark) => mark !== undefined).map(removal));
}

/** The revision from which the history is kept. */
async function floorOf(store: Store): Promise<bigint> {
  const page = await store.history(0n, 1);
  return page.kind === 'page' ? 0n : page.oldest;
}

/** Changes that nobody watches. */
function addition(lease: LeaseRecord): Change {
  // The servers that it names are of the source.
  const record: LeaseRecord = { ...lease, attendant: '', waiting: nobodyElsewhere };
  return { key: leaseKey(record.namespace, record.name), expected: 0n, record, grants: false, events: [] };
}

function removal({ namespace, name, resourceVersion }: LeaseRecord): Change {
  return { key: leaseKey(namespace, name), expected: resourceVersion, record: undefined, grants: false, events: [] };
}

async function commitAll(store: Store, changes: readonly Change[]): Promise<void> {
  for (let from = 0; from < changes.length; from += batch) {
    const piece = changes.slice(from, from + batch);
    const { length } = await store.commit(piece);
    if (length < piece.length) throw new Error('The store was full, or another server has changed it');
  }
}

const batch = 1000;
