import type Database from 'better-sqlite3';

/** Marks a SQLite file as a store of Leasehold: "LEAS". */
export const applicationId = 0x4c454153;

/**
 * The way to the present schema, as SQL: entry n leads from version n to version n + 1. A store that is made runs all of them. Entries
 * are never changed once they were released; a change of the schema is a new entry.
 */
export const migrations: readonly string[] = [
  // `ordinal` numbers the changes without gaps, so that the length of the history is a subtraction. Revisions have gaps between opens.
  `CREATE TABLE lease (
     id INTEGER PRIMARY KEY,
     namespace TEXT NOT NULL,
     name TEXT NOT NULL,
     resource_version INTEGER NOT NULL,
     body TEXT NOT NULL,
     UNIQUE (namespace, name)
   ) STRICT;
   CREATE TABLE history (
     revision INTEGER PRIMARY KEY,
     ordinal INTEGER NOT NULL,
     namespace TEXT NOT NULL,
     name TEXT NOT NULL,
     body TEXT,
     events TEXT NOT NULL
   ) STRICT;
   CREATE TABLE meta (
     key TEXT PRIMARY KEY,
     value ANY NOT NULL
   ) STRICT, WITHOUT ROWID;`,
];

/** The schema version of a database; 0: it is empty. */
export function schemaVersion(database: Database.Database): number {
  return database.pragma('user_version', { simple: true }) as number;
}

/** Brings a database to the newest version in one transaction. */
export function migrate(database: Database.Database, steps: readonly string[]): void {
  const version = schemaVersion(database);
  if (version === steps.length) {
    return;
  }
  database
    .transaction(() => {
      for (const sql of steps.slice(version)) {
        database.exec(sql);
      }
      database.pragma(`user_version = ${steps.length}`);
    })
    .immediate();
}
