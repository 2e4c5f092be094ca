import Database from 'better-sqlite3';
import { parentPort, workerData, type MessagePort } from 'node:worker_threads';
import { isPassing } from './write.js';

/** What the thread is started with. */
export interface CheckpointerOptions {
  readonly file: string;
}

/** `checkpoint` is answered once it is done; after `close` the thread ends. */
export type CheckpointerRequest = 'checkpoint' | 'close';

/** What came of a checkpoint: nothing to say, or the error of a disk that failed. */
export interface CheckpointerAnswer {
  readonly failure: string | undefined;
}

/**
 * Writes the log back into the file, on a thread and a connection of its own: that takes ten to a hundred milliseconds, and a passive
 * checkpoint does not keep anybody from committing meanwhile.
 */
function main(port: MessagePort, { file }: CheckpointerOptions): void {
  const database = new Database(file, { fileMustExist: true });
  database.pragma('synchronous = FULL');
  port.on('message', (request: CheckpointerRequest) => {
    if (request === 'close') {
      database.close();
      port.close();
      return;
    }
    port.postMessage({ failure: checkpoint(database) } satisfies CheckpointerAnswer);
  });
}

function checkpoint(database: Database.Database): string | undefined {
  try {
    database.pragma('wal_checkpoint(PASSIVE)');
    return undefined;
  } catch (error) {
    return isPassing(error) ? undefined : String(error);
  }
}

if (parentPort !== null) {
  main(parentPort, workerData as CheckpointerOptions);
}
