import { leaseKey, newRecord, type Change, type LeaseRecord, type Store } from '@leasehold/core';

/** No lease can have these names, so that nobody can make this record but a migration. It sorts before all others. */
const namespace = '(leasehold)';
const name = '(migration)';

/** Says that a store holds a part of the leases only. */
const mark: LeaseRecord = newRecord({ namespace, name }, { wallMs: 0, newUid: () => '' });

/** The change that marks a store as unfinished: to be committed before the first lease. */
export const markUnfinished: Change = {
  key: leaseKey(namespace, name),
  expected: 0n,
  record: mark,
  grants: false,
  events: [],
};

/** Whether a record is no lease, but the mark. */
export function isMark(record: LeaseRecord): boolean {
  return record.namespace === namespace && record.name === name;
}

/** Has `load` refuse a store that is marked: leases that it does not hold would be granted a second time. */
export function refuseUnfinished(store: Store): Store {
  const load = store.load.bind(store);
  store.load = async (take) =>
    load((records) => {
      if (records.some(isMark)) {
        throw new Error(
          'The store holds only a part of its leases: a migration into it was not finished. Run the same `leasehold migrate` again',
        );
      }
      take(records);
    });
  return store;
}
