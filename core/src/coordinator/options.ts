import type { Clock } from '../clock.js';
import type { Limits } from '../lease/limits.js';
import type { Store } from '../store/store.js';

/** What a coordinator is made of. */
export interface CoordinatorOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly limits: Limits;
  /** At most one checkpoint for each lease and interval; 0: none. Default 10,000. */
  readonly checkpointIntervalMs?: number;
  /** How often an idle watch gets a bookmark. Default 10,000. */
  readonly bookmarkIntervalMs?: number;
  /** How many recent changes watches are fed from memory; older ones come from the store. Default 8,192. */
  readonly recentChangesMax?: number;
  /** How many changes go into one commit at most. Default 512. */
  readonly batchMax?: number;
  /** Makes the random uid of a record. */
  newUid(): string;
  /**
   * The store failed so that outcomes are unknown. The coordinator has refused everything and is done for: close it and start
   * another one on a store opened anew.
   */
  onFailure(error: Error): void;
}
