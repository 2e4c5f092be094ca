import type { Change, CommittedChange, Store } from '@leasehold/core';

/** The store as one process uses it: once that is killed, nothing more lands, and nothing is answered. */
export class ProcessStore implements Store {
  readonly #store: Store;
  #killed = false;

  constructor(store: Store) {
    this.#store = store;
  }

  kill(): void {
    this.#killed = true;
  }

  load: Store['load'] = (take) => this.#store.load(take);
  history: Store['history'] = (after, limit) => this.#store.history(after, limit);
  leaveNote: Store['leaveNote'] = (note) => this.#store.leaveNote(note);
  takeNote: Store['takeNote'] = () => this.#store.takeNote();
  close: Store['close'] = () => this.#store.close();

  commit(changes: readonly Change[]): Promise<readonly CommittedChange[]> {
    return new Promise((resolve, reject) => {
      if (this.#killed) return;
      this.#store.commit(changes).then((committed) => {
        if (!this.#killed) resolve(committed);
      }, reject);
    });
  }
}
