import type Database from 'better-sqlite3';
import { Worker } from 'node:worker_threads';
import type { CheckpointerAnswer, CheckpointerOptions, CheckpointerRequest } from './checkpointer.js';

/**
 * Keeps the write-ahead log short, on the store's thread. The work is done by the checkpointer beside it, so that commits go on.
 *
 * The log begins anew once all of it is written back. Under a load without pauses there is always something that was added meanwhile;
 * then, when the log has grown long, the store's thread itself writes back the little that is left, which takes about ten milliseconds
 * for each 64 MiB of log.
 */
export class LogKeeper {
  readonly #database: Database.Database;
  readonly #onFailure: (message: string) => void;
  #checkpointer: Worker | undefined;
  #exited: Promise<void> = Promise.resolve();
  #busy = false;
  /** Whether the checkpointer was done a moment ago, so that little is left. */
  #wasBusy = false;
  #stopped = false;

  /** @param onFailure the disk failed. */
  constructor(database: Database.Database, onFailure: (message: string) => void) {
    this.#database = database;
    this.#onFailure = onFailure;
  }

  /** Has the log written back when there is enough of it. Cheap otherwise. */
  look(): void {
    const { pages, left } = this.#logState();
    if (this.#stopped || left === 0) {
      return;
    }
    if (pages >= tooManyPages) {
      // The checkpointer does not keep up: commits have to wait for it, else the log would fill the disk.
      this.#database.pragma('wal_checkpoint(FULL)');
    } else if (this.#wasBusy && pages >= longPages) {
      this.#database.pragma('wal_checkpoint(PASSIVE)');
    } else if (!this.#busy && left >= enoughPages) {
      this.#busy = true;
      this.#checkpointer ??= this.#start();
      this.#checkpointer.postMessage('checkpoint' satisfies CheckpointerRequest);
    }
    this.#wasBusy = false;
  }

  /** Has nothing more written back. */
  stop(): void {
    this.#stopped = true;
  }

  /** Ends the checkpointer. The store's own connection can then be the last one. */
  async close(): Promise<void> {
    this.stop();
    this.#checkpointer?.postMessage('close' satisfies CheckpointerRequest);
    await this.#exited;
  }

  #start(): Worker {
    const workerData: CheckpointerOptions = { file: this.#database.name };
    const checkpointer = new Worker(new URL('./checkpointer.js', import.meta.url), {
      workerData,
      name: 'leasehold-checkpointer',
    });
    checkpointer.on('message', ({ failure }: CheckpointerAnswer) => {
      this.#busy = false;
      this.#wasBusy = true;
      if (failure !== undefined) {
        this.#fail(failure);
      }
    });
    checkpointer.on('error', (error: unknown) => {
      this.#fail(`the checkpointer ended: ${String(error)}`);
    });
    this.#exited = new Promise((resolve) => {
      checkpointer.once('exit', () => {
        resolve();
      });
    });
    return checkpointer;
  }

  #fail(message: string): void {
    if (!this.#stopped) {
      this.stop();
      this.#onFailure(message);
    }
  }

  /** How many pages the log has, and how many of them are still to be written back. */
  #logState(): { pages: number; left: number } {
    const [state] = this.#database.pragma('wal_checkpoint(NOOP)') as { log: number; checkpointed: number }[];
    return state === undefined ? { pages: 0, left: 0 } : { pages: state.log, left: state.log - state.checkpointed };
  }
}

/** 4 MiB. */
const enoughPages = 1024;
/** 64 MiB. */
const longPages = 16_384;
/** 256 MiB. */
const tooManyPages = 65_536;
