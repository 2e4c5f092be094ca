import { oldestRevision, readHistory } from './history.js';
import type { LeaseTable } from './lease-table.js';
import type { RecentChanges } from './recent-changes.js';
import type { CommittedChange } from '../lease/change.js';
import { LeaseError } from '../lease/errors.js';
import { isVisible, type LeaseKey, type LeaseRecord } from '../lease/record.js';
import type { Store } from '../store/store.js';

/** How many changes are read from the store at once. */
const pieceMax = 256;

/**
 * Leases as they were at an earlier revision: those of now, with the changes since undone. What the recent changes replaced is in
 * memory; further back the history knows what each change has made of a lease, but not of what. So a lease that has changed since is
 * known if the history also reaches back to its change before.
 */
export class Past {
  readonly #store: Store;
  readonly #table: LeaseTable;
  readonly #recent: RecentChanges;
  /** What reads the history reads much of it: one after the other. */
  #reading: Promise<unknown> = Promise.resolve();

  constructor(store: Store, table: LeaseTable, recent: RecentChanges) {
    this.#store = store;
    this.#table = table;
    this.#recent = recent;
  }

  /**
   * The leases of a namespace, or of all when it is empty, at a revision that this server has come to; in the order of their keys.
   *
   * @throws {LeaseError} `REVISION_COMPACTED`, `REVISION_UNKNOWN`, `STORE_UNAVAILABLE`
   */
  recordsAt(namespace: string, revision: bigint): Promise<readonly LeaseRecord[]> {
    if (this.#recent.knows(revision)) {
      return Promise.resolve(this.#undo(revision, new Undone(namespace)).merge());
    }
    const records = this.#reading.then(() => this.#rebuild(namespace, revision));
    this.#reading = records.catch(() => undefined);
    return records;
  }

  async #rebuild(namespace: string, revision: bigint): Promise<readonly LeaseRecord[]> {
    const undone = new Undone(namespace);
    let position = revision;
    // At least once: the store knows whether it ever issued the revision.
    do {
      const changes = await readHistory(this.#store, position, pieceMax);
      changes.forEach((change) => {
        undone.addOld(change);
      });
      position = changes.at(-1)?.revision ?? position;
    } while (!this.#recent.reachesBackTo(position));
    this.#undo(position, undone);
    if (undone.lost() !== undefined) {
      await this.#findOut(undone, revision);
    }
    return undone.merge();
  }

  /** Undoes the recent changes after a revision, and takes everything else as it is: in one turn, so that nothing changes meanwhile. */
  #undo(revision: bigint, undone: Undone): Undone {
    this.#recent.forEachAfter(revision, (change, before) => {
      undone.add(change.key, before);
    });
    undone.takeOthers(this.#table);
    return undone;
  }

  /** Looks through the history for what leases were like. */
  async #findOut(undone: Undone, revision: bigint): Promise<void> {
    const oldest = await oldestRevision(this.#store);
    for (let position = oldest; position < revision;) {
      const changes = await readHistory(this.#store, position, pieceMax);
      changes.forEach((change) => {
        if (change.revision <= revision) {
          undone.learn(change);
        }
      });
      position = changes.at(-1)?.revision ?? revision;
    }
    const lost = undone.lost();
    if (lost !== undefined) {
      const message = `Revision ${revision}: the history kept does not tell what lease ${lost} was like then`;
      throw new LeaseError('REVISION_COMPACTED', message, { oldestRevision: oldest });
    }
  }
}

/** The leases of a namespace on their way back to an earlier revision. */
class Undone {
  readonly #namespace: string;
  readonly #prefix: string;
  /** What was there before the first change since; `undefined`: nothing. */
  readonly #before = new Map<LeaseKey, LeaseRecord | undefined>();
  /** Leases that have changed since, and what they were like is for the history to tell. */
  readonly #asked = new Set<LeaseKey>();
  #others: readonly Keyed[] = [];

  constructor(namespace: string) {
    this.#namespace = namespace;
    this.#prefix = namespace === '' ? '' : `${namespace}/`;
  }

  /** Undoes a change of which it is known what it replaced. Of several changes of one lease the first one counts. */
  add(key: LeaseKey, before: LeaseRecord | undefined): void {
    if (this.#isFirst(key)) {
      this.#before.set(key, before);
    }
  }

  /** Undoes a change out of the history. It has the labels of what it replaced, but not the rest. */
  addOld({ key, events: [first] }: CommittedChange): void {
    if (this.#isFirst(key)) {
      if (first?.previousLabels === undefined) {
        this.#before.set(key, undefined);
      } else {
        this.#asked.add(key);
      }
    }
  }

  /** Takes everything that has not changed since. */
  takeOthers(table: LeaseTable): void {
    const others: Keyed[] = [];
    for (const { key, record } of table.after('', this.#namespace)) {
      if (this.#isFirst(key) && isVisible(record)) {
        others.push({ key, record });
      }
    }
    this.#others = others;
  }

  /** Takes in a change from before the revision; of several of one lease the last one counts. */
  learn({ key, record }: CommittedChange): void {
    if (this.#asked.has(key)) {
      this.#before.set(key, record);
    }
  }

  /** A lease of which it is not known what it was like. */
  lost(): LeaseKey | undefined {
    return [...this.#asked].find((key) => !this.#before.has(key));
  }

  merge(): readonly LeaseRecord[] {
    const all = [...this.#others];
    this.#before.forEach((record, key) => {
      if (isVisible(record)) {
        all.push({ key, record });
      }
    });
    return all.sort((left, right) => (left.key < right.key ? -1 : 1)).map(({ record }) => record);
  }

  #isFirst(key: LeaseKey): boolean {
    return key.startsWith(this.#prefix) && !this.#before.has(key) && !this.#asked.has(key);
  }
}

interface Keyed {
  readonly key: LeaseKey;
  readonly record: LeaseRecord;
}
