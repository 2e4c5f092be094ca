import { parentPort, workerData, type MessagePort } from 'node:worker_threads';
import { callsOn, type CallTable } from './calls.js';
import { Compaction } from './compaction.js';
import { openDatabase, type OpenDatabase } from './database.js';
import { Housekeeping } from './housekeeping.js';
import { asOpenError } from './inspection.js';
import { LogKeeper } from './log-keeper.js';
import type { Failure, Request, WorkerMessage, WorkerOptions } from './messages.js';
import { Tables } from './tables.js';
import { WriteError } from './write.js';

/** The thread on which the disk is waited for. It opens the store, says so, and answers calls one after the other until `close`. */
class StoreThread {
  readonly #port: MessagePort;
  readonly #open: OpenDatabase;
  readonly #calls: CallTable;
  readonly #logKeeper: LogKeeper;
  readonly #housekeeping: Housekeeping;
  /** Why the store is done for. */
  #failure: Failure | undefined;

  constructor(port: MessagePort, open: OpenDatabase, historyMax: number) {
    const { database } = open;
    const tables = new Tables(database);
    this.#port = port;
    this.#open = open;
    this.#calls = callsOn(database, tables);
    const fail = (message: string): void => {
      this.#failure = { kind: 'unknown', message };
      this.#housekeeping.stop();
      this.#say({ kind: 'failed', message });
    };
    this.#logKeeper = new LogKeeper(database, fail);
    this.#housekeeping = new Housekeeping(new Compaction(database, tables, historyMax), this.#logKeeper, fail);
    this.#say({ kind: 'opened', revision: tables.revision() });
  }

  /** Answers a call. */
  answer(request: Request): void {
    if (request.call === 'close') {
      void this.#close(request.id);
      return;
    }
    if (this.#failure !== undefined) {
      this.#say({ kind: 'declined', id: request.id, failure: this.#failure });
      return;
    }
    try {
      const call = this.#calls[request.call] as (argument: unknown) => unknown;
      this.#say({ kind: 'answered', id: request.id, result: call(request.argument) });
      this.#housekeeping.schedule();
    } catch (error) {
      const failure = error instanceof WriteError ? error.failure : ({ kind: 'unknown', message: String(error) } as const);
      if (failure.kind === 'unknown') {
        this.#failure = failure;
        this.#housekeeping.stop();
      }
      this.#say({ kind: 'declined', id: request.id, failure });
    }
  }

  async #close(id: number): Promise<void> {
    this.#housekeeping.stop();
    await this.#logKeeper.close();
    this.#open.close();
    this.#say({ kind: 'answered', id, result: undefined });
    this.#port.close();
  }

  #say(message: WorkerMessage): void {
    this.#port.postMessage(message);
  }
}

function main(port: MessagePort, options: WorkerOptions): void {
  let thread: StoreThread;
  try {
    thread = new StoreThread(port, openDatabase(options), options.historyMax);
  } catch (error) {
    const { code, message } = asOpenError(options.file, error);
    port.postMessage({ kind: 'refused', code, message } satisfies WorkerMessage);
    return;
  }
  port.on('message', (request: Request) => {
    thread.answer(request);
  });
}

if (parentPort !== null) {
  main(parentPort, workerData as WorkerOptions);
}
