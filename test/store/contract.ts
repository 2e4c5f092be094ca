import { StoreConflictError, type Change, type CommittedChange, type LeaseRecord, type Store } from '@leasehold/core';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { create, grant, handOver, newRecord, recordOf, remove, update } from './changes.js';

/** A place where a store can be opened again and again. */
export interface StorePlace {
  /** The wall clock of stores opened from now on. */
  wallMs: number;
  open(options?: { historyMax?: number }): Promise<Store>;
  /** Copies what is stored, while no store is open. Returns what puts the copy back. */
  copy(): Promise<() => Promise<void>>;
  dispose(): Promise<void>;
}

/** What every store promises. */
export function storeContract(name: string, makePlace: () => Promise<StorePlace>): void {
  describe(name, () => {
    let place: StorePlace;
    let store: Store;

    const open = async (options?: { historyMax?: number }): Promise<Store> => {
      store = await place.open(options);
      return store;
    };
    const reopen = async (): Promise<Store> => {
      await store.close();
      place.wallMs += 60_000;
      return open();
    };

    beforeEach(async () => {
      place = await makePlace();
      await open();
    });

    afterEach(async () => {
      await store.close();
      await place.dispose();
    });

    it('is empty when it is made, at a revision from which a watch can start', async () => {
      const { records, revision } = await loaded(store);
      expect(records.size).toBe(0);
      expect(revision).toBeGreaterThan(0n);
      expect(await store.history(revision, 10)).toEqual({ kind: 'page', changes: [] });
    });

    it('stays at its revision when it is opened again unchanged', async () => {
      const { revision } = await loaded(store);
      await reopen();
      expect((await loaded(store)).revision).toBe(revision);
      expect(await store.history(revision, 10)).toEqual({ kind: 'page', changes: [] });
    });

    it('gives the changes of a commit revisions in their order, without gaps', async () => {
      const { revision } = await loaded(store);
      const first = await store.commit([create('a'), create('b'), create('c')]);
      const second = await store.commit([create('d')]);
      const revisions = [...first, ...second].map((change) => change.revision);
      expect(revisions[0]).toBeGreaterThan(revision);
      expect(revisions).toEqual(revisions.map((_, index) => revisions[0]! + BigInt(index)));
      expect(first.map((change) => recordOf(change).resourceVersion)).toEqual(revisions.slice(0, 3));
    });

    it('begins above the wall clock in microseconds, and above every revision that it has', async () => {
      const [early] = await store.commit([create('a')]);
      expect(early!.revision).toBeGreaterThanOrEqual(BigInt(place.wallMs) * 1000n);
      await store.close();
      place.wallMs -= 3_600_000;
      await open();
      const [late] = await store.commit([create('b')]);
      expect(late!.revision).toBe(early!.revision + 1n);
    });

    it('makes the revision of a grant its fencing token, and keeps it through other changes', async () => {
      const [granted] = await store.commit([grant(newRecord('a'), 'alice')]);
      expect(recordOf(granted).fencingToken).toBe(granted!.revision);
      const [updated] = await store.commit([update(recordOf(granted), { labels: { app: 'foo' } })]);
      expect(recordOf(updated).fencingToken).toBe(granted!.revision);
      expect(recordOf(updated).resourceVersion).toBe(updated!.revision);
    });

    it('does nothing when it is given nothing', async () => {
      const { revision } = await loaded(store);
      expect(await store.commit([])).toEqual([]);
      await reopen();
      expect((await loaded(store)).revision).toBe(revision);
    });

    it('loads what was committed, every field of it', async () => {
      const full = newRecord('full', {
        state: 'EXPIRED',
        holder: 'alice',
        lastHolder: 'bob "quoted" \u00fc\u{1F600}',
        acquireId: 'attempt-1',
        durationMs: 15_000.5,
        transitions: 3,
        renewals: 7,
        acquireTimeMs: 1_790_000_000_001,
        renewTimeMs: 1_790_000_000_002,
        endTimeMs: 1_790_000_000_003,
        labels: { app: 'foo', empty: '' },
        annotations: { note: 'a\nb\u0000c', __proto__2: 'x' },
        lockDelayMs: 2_000,
        delayed: true,
        keepAfterExpiryMs: 0,
        revoking: { graceMs: 0, transferTo: 'carol' },
        reservedMs: 0,
        attendant: 'a-session',
        waiting: [{ session: 'another', priority: -3 }],
      });
      const committed = await store.commit([
        grant(full, 'dave'),
        create('plain'),
        create('other', { ...full, namespace: 'x-y', name: 'other' }),
      ]);
      await reopen();
      const { records } = await loaded(store);
      expect(records).toEqual(recordsOf(committed));
    });

    it('refuses the whole commit when one change rests on another version', async () => {
      const [created] = await store.commit([create('a')]);
      const stale: Change = { ...update(recordOf(created), { holder: 'x' }), expected: created!.revision - 1n };
      const failed = store.commit([create('b'), stale, create('c')]);
      await expect(failed).rejects.toThrow(StoreConflictError);
      await expect(failed).rejects.toMatchObject({ key: 'default/a' });
      const [next] = await store.commit([create('d')]);
      expect(next!.revision).toBe(created!.revision + 1n);
      expect(await allHistory(store, created!.revision)).toEqual([next]);
      await reopen();
      expect((await loaded(store)).records).toEqual(recordsOf([created!, next!]));
    });

    it.each([
      ['creates what is there', (record: LeaseRecord): Change => create(record.name)],
      ['changes what is not there', (record: LeaseRecord): Change => update({ ...record, name: 'absent' }, {})],
      ['removes what is not there', (record: LeaseRecord): Change => remove({ ...record, name: 'absent' })],
      [
        'removes another version',
        (record: LeaseRecord): Change => ({ ...remove(record), expected: record.resourceVersion + 1n }),
      ],
      ['leaves absent what is there', (record: LeaseRecord): Change => ({ ...remove(record), expected: 0n })],
    ])('refuses a change that %s', async (_, make) => {
      const [created] = await store.commit([create('a')]);
      await expect(store.commit([make(recordOf(created))])).rejects.toThrow(StoreConflictError);
      await reopen();
      expect((await loaded(store)).records).toEqual(recordsOf([created!]));
    });

    it('forgets a removed record, and takes the name anew', async () => {
      const [created] = await store.commit([create('a')]);
      await store.commit([remove(recordOf(created))]);
      const [again] = await store.commit([create('a')]);
      await reopen();
      expect((await loaded(store)).records).toEqual(recordsOf([again!]));
    });

    it('keeps in its history what was committed, hand-overs with both events', async () => {
      const { revision } = await loaded(store);
      const [granted] = await store.commit([grant(newRecord('a', { labels: { app: 'foo' } }), 'alice')]);
      const [handed] = await store.commit([handOver(recordOf(granted), 'bob')]);
      const [removed] = await store.commit([remove(recordOf(handed))]);
      const [silent] = await store.commit([{ key: 'default/a', expected: 0n, record: undefined, grants: false, events: [] }]);
      const all = [granted, handed, removed, silent];
      expect(handed!.events.map((event) => [event.type, event.lease.fencingToken])).toEqual([
        ['RELEASED', granted!.revision],
        ['ACQUIRED', handed!.revision],
      ]);
      expect(await allHistory(store, revision)).toEqual(all);
      await reopen();
      expect(await allHistory(store, revision)).toEqual(all);
    });

    it('pages its history, oldest first', async () => {
      const { revision } = await loaded(store);
      const committed = await store.commit(Array.from({ length: 700 }, (_, index) => create(`lease-${index}`)));
      expect(await store.history(revision, 300)).toEqual({ kind: 'page', changes: committed.slice(0, 300) });
      expect(await store.history(committed[299]!.revision, 300)).toEqual({ kind: 'page', changes: committed.slice(300, 600) });
      expect(await store.history(committed[599]!.revision, 300)).toEqual({ kind: 'page', changes: committed.slice(600) });
      expect(await store.history(committed[699]!.revision, 300)).toEqual({ kind: 'page', changes: [] });
    });

    it('knows that a revision was never issued', async () => {
      const { revision: made } = await loaded(store);
      const [before] = await store.commit([create('a')]);
      await reopen();
      const [after] = await store.commit([create('b')]);
      expect(after!.revision - before!.revision).toBeGreaterThan(1_000_000n);
      expect(await store.history(before!.revision, 10)).toEqual({ kind: 'page', changes: [after] });
      expect(await store.history(before!.revision + 1n, 10)).toEqual({ kind: 'unknown', oldest: made });
      expect(await store.history(after!.revision - 1n, 10)).toEqual({ kind: 'unknown', oldest: made });
      expect(await store.history(after!.revision + 1n, 10)).toEqual({ kind: 'unknown', oldest: made });
      expect(await store.history(made - 1n, 10)).toEqual({ kind: 'compacted', oldest: made });
    });

    it('says that a revision is older than the history kept, and from where it is kept', async () => {
      await store.close();
      await open({ historyMax: 10 });
      const { revision } = await loaded(store);
      const committed: CommittedChange[] = [];
      for (let batch = 0; batch < 4; batch++) {
        committed.push(...(await store.commit(Array.from({ length: 500 }, (_, index) => create(`lease-${batch}-${index}`)))));
      }
      const { oldest, changes } = await compacted(store, revision, 10 + 1024);
      expect(changes.length).toBeGreaterThanOrEqual(10);
      expect(changes).toEqual(committed.filter((change) => change.revision > oldest));
      await reopen();
      expect((await loaded(store)).records).toEqual(recordsOf(committed));
      expect(await store.history(revision, 1)).toMatchObject({ kind: 'compacted' });
    });

    it('never repeats a revision after an older copy was put back, and does not know the lost ones', async () => {
      const [kept] = await store.commit([create('a')]);
      await store.close();
      const putBack = await place.copy();
      place.wallMs += 1_000;
      await open();
      const lost = await store.commit([create('b'), create('c')]);
      await store.close();
      await putBack();
      place.wallMs += 1_000;
      await open();
      expect((await loaded(store)).records).toEqual(recordsOf([kept!]));
      const [fresh] = await store.commit([create('b')]);
      expect(fresh!.revision).toBeGreaterThan(lost[1]!.revision);
      for (const change of lost) {
        expect(await store.history(change.revision, 10)).toMatchObject({ kind: 'unknown' });
      }
    });

    it('hands over a note once', async () => {
      expect(await store.takeNote()).toEqual([]);
      const note = [
        { key: 'default/a', fencingToken: 1_790_000_000_000_001n, remainingMs: 1234.5 },
        { key: 'default/b', fencingToken: 2n, remainingMs: 0 },
      ];
      await store.leaveNote([{ key: 'default/a', fencingToken: 1n, remainingMs: 1 }]);
      await store.leaveNote(note);
      await reopen();
      expect(await store.takeNote()).toEqual(note);
      expect(await store.takeNote()).toEqual([]);
      await reopen();
      expect(await store.takeNote()).toEqual([]);
    });

    it('can be closed more than once', async () => {
      await Promise.all([store.close(), store.close()]);
      await store.close();
    });
  });
}

/** Loads a store. */
export async function loaded(store: Store): Promise<{ records: Map<string, LeaseRecord>; revision: bigint }> {
  const records = new Map<string, LeaseRecord>();
  const { revision } = await store.load((piece) => {
    piece.forEach((record) => records.set(`${record.namespace}/${record.name}`, record));
  });
  return { records, revision };
}

/** The records that changes left, by key. */
export function recordsOf(committed: readonly CommittedChange[]): Map<string, LeaseRecord> {
  return new Map(committed.flatMap((change) => (change.record === undefined ? [] : [[change.key, change.record] as const])));
}

/** Everything that happened after a revision. */
export async function allHistory(store: Store, after: bigint): Promise<readonly CommittedChange[]> {
  const page = await store.history(after, 1_000_000);
  if (page.kind !== 'page') {
    throw new Error(`the history after ${after} is ${page.kind}`);
  }
  return page.changes;
}

/** Waits until at most `lengthMax` changes of the history are kept; they, and the revision that they follow. */
async function compacted(
  store: Store,
  after: bigint,
  lengthMax: number,
): Promise<{ oldest: bigint; changes: readonly CommittedChange[] }> {
  for (;;) {
    const gone = await store.history(after, 1);
    if (gone.kind === 'compacted') {
      const page = await store.history(gone.oldest, 1_000_000);
      if (page.kind === 'page' && page.changes.length <= lengthMax) {
        return { oldest: gone.oldest, changes: page.changes };
      }
    }
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
