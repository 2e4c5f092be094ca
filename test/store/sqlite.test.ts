import { OutcomeUnknownError, StoreFullError, type Store } from '@leasehold/core';
import Database from 'better-sqlite3';
import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Compaction } from '../../server/dist/store/sqlite/compaction.js';
import { openDatabase } from '../../server/dist/store/sqlite/database.js';
import { migrations } from '../../server/dist/store/sqlite/schema.js';
import { Tables } from '../../server/dist/store/sqlite/tables.js';
import { create, recordOf, update } from './changes.js';
import { allHistory, loaded, recordsOf } from './contract.js';
import { sqlitePlace, type SqlitePlace } from './sqlite-place.js';
import { startChild } from './store-child.js';

let place: SqlitePlace;

beforeEach(async () => {
  place = await sqlitePlace();
});

afterEach(async () => {
  await place.dispose();
});

describe('SQLite store: one process a file', () => {
  it('refuses a second store on the same file, by whatever name, and does not harm the first', async () => {
    const store = await place.open();
    const link = join(place.directory, 'link.db');
    await symlink(place.file, link);
    for (const file of [place.file, link]) {
      const refused = place.open({ file });
      await expect(refused).rejects.toMatchObject({ name: 'StoreOpenError', code: 'LOCKED' });
      await expect(refused).rejects.toThrow(`Open store ${place.file}: another server has it open`);
    }
    await store.commit([create('a')]);
    await store.close();
    await (await place.open()).close();
  });

  it('leaves nothing beside its file but the lock when it is closed', async () => {
    const store = await place.open();
    await store.commit([create('a')]);
    await store.close();
    expect((await readdir(place.directory)).sort()).toEqual(['store.db', 'store.db.lock']);
  });

  it('takes one commit at a time', async () => {
    const store = await place.open();
    const first = store.commit([create('a')]);
    await expect(store.commit([create('b')])).rejects.toThrow('another commit is under way');
    await first;
    await store.commit([create('b')]);
    await store.close();
  });
});

describe('SQLite store: a file that must not be opened is left as it is', () => {
  it('when it is not a SQLite database', async () => {
    await writeFile(place.file, 'a letter to somebody\n'.repeat(1000));
    await expectRefused('NOT_SQLITE', /not a SQLite database.*name another file/);
  });

  it('when it belongs to another application', async () => {
    const database = new Database(place.file);
    database.exec('CREATE TABLE recipe (name TEXT)');
    database.close();
    await expectRefused('FOREIGN', /another application.*name another file/);
  });

  it('when a newer Leasehold wrote it', async () => {
    await makeStore({ migrations: [...migrations, 'CREATE TABLE later (id INTEGER PRIMARY KEY)'] });
    await expectRefused('NEWER_SCHEMA', /has schema version 2, this server knows versions up to 1.*run the newer Leasehold/);
  });

  it('when its pages are damaged', async () => {
    await makeStore();
    await damage(place.file);
    await expectRefused('DAMAGED', /integrity check failed.*put back a copy/);
  });

  it('when it was cut short', async () => {
    await makeStore();
    await truncate(place.file, 3 * 4096 + 100);
    await expectRefused('DAMAGED', /integrity check failed/);
  });

  it('when it is damaged and a crash left a log beside it', async () => {
    await makeStore();
    const child = startChild(place.file);
    await child.tell('open');
    await child.tell('commit');
    await child.kill();
    expect(await readdir(place.directory)).toContain('store.db-wal');
    await damage(place.file);
    await expectRefused('DAMAGED', /integrity check failed/);
  });

  it('when it is missing but a log of it is there', async () => {
    const child = startChild(place.file);
    await child.tell('open');
    await child.tell('commit');
    await child.kill();
    await rm(place.file);
    await expectRefused('DAMAGED', /the file is missing, but .*store\.db-wal holds changes of it/);
  });

  it('when it is a directory, or has none', async () => {
    await mkdir(place.file);
    await expect(place.open()).rejects.toMatchObject({ name: 'StoreOpenError', code: 'UNUSABLE' });
    const lost = place.open({ file: join(place.directory, 'absent', 'store.db') });
    await expect(lost).rejects.toMatchObject({ name: 'StoreOpenError', code: 'UNUSABLE' });
    await expect(lost).rejects.toThrow(/absent/);
  });

  it('when it cannot be migrated, and the older server goes on with it', async () => {
    const committed = await makeStore();
    await expectRefused('UNUSABLE', /no such table/, {
      migrations: [...migrations, 'CREATE TABLE half (id); DROP TABLE absent'],
    });
    const store = await place.open();
    expect((await loaded(store)).records).toEqual(recordsOf(committed));
    await store.close();
  });

  async function expectRefused(code: string, message: RegExp, options = {}): Promise<void> {
    const before = await fingerprints();
    const refused = place.open(options);
    await expect(refused).rejects.toMatchObject({ name: 'StoreOpenError', code });
    await expect(refused).rejects.toThrow(message);
    await expect(refused).rejects.toThrow(place.file);
    expect(await fingerprints()).toEqual(before);
  }
});

describe('SQLite store: its file', () => {
  it('is migrated forward, with everything that is in it', async () => {
    const committed = await makeStore();
    const newer = [
      ...migrations,
      `ALTER TABLE lease ADD COLUMN region TEXT NOT NULL DEFAULT 'here'`,
      'CREATE TABLE other (id INTEGER PRIMARY KEY)',
    ];
    for (let times = 0; times < 2; times++) {
      const store = await place.open({ migrations: newer });
      expect((await loaded(store)).records).toEqual(recordsOf(committed));
      expect(await allHistory(store, committed[0]!.revision)).toEqual(committed.slice(1));
      await store.close();
    }
    const database = new Database(place.file, { readonly: true });
    expect(database.pragma('user_version', { simple: true })).toBe(3);
    expect(database.prepare('SELECT DISTINCT region FROM lease').all()).toEqual([{ region: 'here' }]);
    database.close();
    await rm(`${place.file}-wal`, { force: true });
    await rm(`${place.file}-shm`, { force: true });
  });

  it('is made anew in place of an empty one, and of one half made', async () => {
    await writeFile(place.file, '');
    await writeFile(`${place.file}.new`, 'half of a store');
    const store = await place.open();
    await store.commit([create('a')]);
    await store.close();
    expect(await readdir(place.directory)).not.toContain('store.db.new');
  });

  it('is read when a later version added fields to records', async () => {
    const committed = await makeStore();
    const database = new Database(place.file);
    database.exec(`UPDATE lease SET body = json_set(body, '$.region', json('{"name":"x"}'))`);
    database.exec(`UPDATE history SET events = json_set(events, '$[0].cause', 'x')`);
    database.close();
    const store = await place.open();
    expect((await loaded(store)).records).toEqual(recordsOf(committed));
    expect(await allHistory(store, committed[0]!.revision)).toEqual(committed.slice(1));
    await store.close();
  });

  it('gives back leases of any size', async () => {
    const store = await place.open();
    const text = 'x'.repeat(250_000);
    const committed = await store.commit(
      Array.from({ length: 30 }, (_, index) => create(`lease-${index}`, { annotations: index % 3 === 0 ? {} : { text } })),
    );
    await store.close();
    const again = await place.open();
    expect((await loaded(again)).records).toEqual(recordsOf(committed));
    expect(await allHistory(again, committed[0]!.revision)).toEqual(committed.slice(1));
    await again.close();
  });

  it('takes no commit past its size, whole or in part, and none of the smaller ones is lost', async () => {
    const store = await place.open({ pagesMax: 40 });
    const [small] = await store.commit([create('small')]);
    const big = Array.from({ length: 20 }, (_, index) => create(`big-${index}`, { annotations: { text: 'x'.repeat(20_000) } }));
    await expect(store.commit(big)).rejects.toThrow(StoreFullError);
    const [next] = await store.commit([create('next')]);
    expect(next!.revision).toBe(small!.revision + 1n);
    expect(await allHistory(store, small!.revision)).toEqual([next]);
    await store.close();
    const again = await place.open();
    expect((await loaded(again)).records).toEqual(recordsOf([small!, next!]));
    await again.close();
  });

  it('takes no more once its content proves damaged', async () => {
    await makeStore();
    const store = await place.open();
    const database = new Database(place.file);
    database.exec('DROP TABLE history');
    database.close();
    await expect(store.commit([create('new')])).rejects.toThrow(OutcomeUnknownError);
    await expect(store.takeNote()).rejects.toThrow(OutcomeUnknownError);
    await store.close();
  });
});

describe('SQLite store: its log', () => {
  it('begins anew once it was written back, while commits go on', async () => {
    const store = await place.open();
    const text = 'x'.repeat(100_000);
    let committed = await store.commit(
      Array.from({ length: 100 }, (_, index) => create(`lease-${index}`, { annotations: { text } })),
    );
    const reader = new Database(place.file, { readonly: true });
    const pages = (): number => (reader.pragma('wal_checkpoint(NOOP)') as { log: number }[])[0]!.log;
    let longest = 0;
    for (let length = pages(); length >= longest || length > 1000; length = pages()) {
      longest = Math.max(longest, length);
      committed = await store.commit([update(recordOf(committed[0]), {})]);
    }
    expect(longest).toBeGreaterThan(4000);
    reader.close();
    await store.close();
  });
});

describe('SQLite store: its history', () => {
  it('is compacted in small slices, with commits between them', async () => {
    const options = { file: place.file, makingRevision: 1n, migrations, pagesMax: undefined };
    const opened = openDatabase(options);
    const { database } = opened;
    const tables = new Tables(database);
    let revision = 1n;
    const commit = (): void => {
      const name = `lease-${++revision}`;
      tables.apply([{ revision, expected: 0n, namespace: 'default', name, body: '{}', events: '[]' }]);
    };
    database.transaction(() => {
      for (let count = 0; count < 6000; count++) {
        commit();
      }
    })();
    const compaction = new Compaction(database, tables, 100);
    let slices = 0;
    for (let before = tables.historyLength(); compaction.slice(); before = tables.historyLength()) {
      const dropped = before - tables.historyLength();
      expect(dropped).toBeGreaterThan(0);
      expect(dropped).toBeLessThanOrEqual(512);
      expect(tables.floor()).toBe(revision - BigInt(tables.historyLength()));
      commit();
      slices++;
    }
    expect(slices).toBeGreaterThan(10);
    expect(tables.historyLength()).toBeGreaterThanOrEqual(100);
    expect(tables.historyLength()).toBeLessThan(100 + 512);
    expect(database.pragma('synchronous', { simple: true })).toBe(2);
    expect(tables.history({ after: tables.floor(), limit: 1000 })).toMatchObject({ kind: 'page' });
    opened.close();
  });
});

async function makeStore(options = {}): ReturnType<Store['commit']> {
  const store = await place.open(options);
  const committed = await store.commit(
    Array.from({ length: 300 }, (_, index) =>
      create(`lease-${index}`, { labels: { number: String(index) }, annotations: { text: 'x'.repeat(100) } }),
    ),
  );
  await store.close();
  return committed;
}

/** Overwrites pages in the middle of the file. */
async function damage(file: string): Promise<void> {
  const bytes = await readFile(file);
  bytes.fill(0xa5, 2 * 4096, bytes.length - 4096);
  await writeFile(file, bytes);
}

/** What the store is made of. The lock is empty, and the index of the log is rebuilt at each opening. */
async function fingerprints(): Promise<Record<string, string>> {
  const names = (await readdir(place.directory)).filter((name) => !name.endsWith('.lock'));
  const hashes = names.map(async (name) => {
    const hash = name.endsWith('-shm')
      ? 'there'
      : createHash('sha256')
          .update(await readFile(join(place.directory, name)))
          .digest('hex');
    return [name, hash] as const;
  });
  return Object.fromEntries(await Promise.all(hashes));
}
