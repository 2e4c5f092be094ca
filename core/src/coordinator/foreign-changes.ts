import type { Clock } from '../clock.js';
import type { CommittedChange } from '../lease/change.js';
import { isVisible } from '../lease/record.js';
import type { Entry } from './entry.js';
import type { LeaseTable } from './lease-table.js';
import type { WatchHub } from './watch-hub.js';

/** What the changes of other servers are taken over into. */
export interface ForeignChangesParts {
  readonly clock: Clock;
  readonly table: LeaseTable;
  readonly hub: WatchHub;
}

/** Changes of other servers: kept while a commit of this server is under way, and taken over in their order. */
export class ForeignChanges {
  readonly #parts: ForeignChangesParts;
  readonly #goOn: (entry: Entry) => void;
  #kept: (readonly CommittedChange[])[] = [];

  /** @param goOn is called for each lease that has changed. */
  constructor(parts: ForeignChangesParts, goOn: (entry: Entry) => void) {
    this.#parts = parts;
    this.#goOn = goOn;
  }

  keep(changes: readonly CommittedChange[]): void {
    this.#kept.push(changes);
  }

  /** Makes what is kept known, as if this server had committed it: the table and what is live, watchers, those who wait. */
  takeOver(): void {
    const kept = this.#kept;
    this.#kept = [];
    kept.forEach((changes) => {
      this.#publish(changes);
    });
  }

  #publish(changes: readonly CommittedChange[]): void {
    const { clock, hub, table } = this.#parts;
    const now = { nowMs: clock.monotonicMs(), wallMs: clock.wallMs() };
    const entries = changes.map(({ key }) => table.getOrAdd(key));
    const before = entries.map(({ record }) => record);
    changes.forEach((change, index) => {
      entries[index]?.follow(change, now);
    });
    entries.forEach((entry, index) => {
      table.refresh(entry, isVisible(before[index]));
    });
    hub.publish(changes, before);
    entries.forEach(this.#goOn);
  }
}
