import type { Compaction } from './compaction.js';
import type { LogKeeper } from './log-keeper.js';
import { isPassing } from './write.js';

/** What the store does for itself while no call waits: shortening the history, and having the log written back into the file. */
export class Housekeeping {
  readonly #compaction: Compaction;
  readonly #logKeeper: LogKeeper;
  readonly #onFailure: (message: string) => void;
  #scheduled = false;
  #stopped = false;

  /** @param onFailure the disk failed; nothing more is done. */
  constructor(compaction: Compaction, logKeeper: LogKeeper, onFailure: (message: string) => void) {
    this.#compaction = compaction;
    this.#logKeeper = logKeeper;
    this.#onFailure = onFailure;
  }

  /** Does a piece of what is to be done, soon, and the rest after it. Calls that arrive meanwhile come between the pieces. */
  schedule(): void {
    if (this.#scheduled || this.#stopped) {
      return;
    }
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#work();
    });
  }

  /** Does nothing more. */
  stop(): void {
    this.#stopped = true;
    this.#logKeeper.stop();
  }

  #work(): void {
    if (this.#stopped) {
      return;
    }
    try {
      if (this.#compaction.slice()) {
        this.schedule();
      }
      this.#logKeeper.look();
    } catch (error) {
      if (!isPassing(error)) {
        this.stop();
        this.#onFailure(String(error));
      }
    }
  }
}
