import type Database from 'better-sqlite3';
import type { Calls } from './messages.js';
import type { Tables } from './tables.js';
import { write } from './write.js';

/** Does the calls that can be made of an open store, `close` excepted. */
export function callsOn(database: Database.Database, tables: Tables): CallTable {
  return {
    load: (after) => tables.load(after),
    history: (request) => tables.history(request),
    commit: (rows) => {
      try {
        write(
          database,
          () => {
            tables.apply(rows);
          },
          () => tables.revision(),
        );
      } catch (error) {
        tables.forgetFailed();
        throw error;
      }
    },
    leaveNote: (note) => {
      write(
        database,
        () => {
          tables.leaveNote(note);
        },
        () => tables.note(),
      );
    },
    takeNote: () =>
      write(
        database,
        () => tables.takeNote(),
        () => tables.note(),
      ),
  };
}

export type CallTable = { readonly [K in Exclude<keyof Calls, 'close'>]: (argument: Calls[K]['argument']) => Calls[K]['result'] };
