import type Database from 'better-sqlite3';
import { systemClock } from '../../clock.js';
import type { Tables } from './tables.js';

/**
 * Shortens the history in slices, between commits. A slice lasts about two milliseconds, so that a commit that arrives during one
 * waits no longer than that.
 *
 * A slice is not synced: its pages stand in the log before those of the next commit, which syncs both. Lost with a power failure, it
 * is done again.
 */
export class Compaction {
  readonly #database: Database.Database;
  readonly #tables: Tables;
  readonly #historyMax: number;

  /** @param historyMax how many changes are kept at least; up to 512 more are. */
  constructor(database: Database.Database, tables: Tables, historyMax: number) {
    this.#database = database;
    this.#tables = tables;
    this.#historyMax = historyMax;
  }

  /** Does a slice if the history is too long. Returns whether there is more to do. */
  slice(): boolean {
    // Only whole slices, so that they are few and worth their cost.
    if (this.#tables.historyLength() - this.#historyMax < sliceMax) {
      return false;
    }
    this.#database.pragma('synchronous = NORMAL');
    try {
      this.#database.transaction(() => {
        this.#drop();
      })();
    } finally {
      this.#database.pragma('synchronous = FULL');
    }
    return true;
  }

  #drop(): void {
    const endMs = systemClock.monotonicMs() + sliceMs;
    const oldest = this.#tables.oldestRevisions(sliceMax);
    let floor: bigint | undefined;
    for (let next = 0; next < oldest.length && (floor === undefined || systemClock.monotonicMs() < endMs); next += stepMax) {
      floor = oldest[Math.min(next + stepMax, oldest.length) - 1];
      if (floor !== undefined) {
        this.#tables.dropHistory(floor);
      }
    }
    if (floor !== undefined) {
      this.#tables.setFloor(floor);
    }
  }
}

const sliceMax = 512;
const sliceMs = 2;
/** How many changes are dropped between two looks at the clock: a large one takes up to half a millisecond. */
const stepMax = 4;
