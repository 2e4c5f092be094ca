import type { Store } from '@leasehold/core';
import { OutcomeUnknownError } from '@leasehold/core';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Worker } from 'node:worker_threads';
import { diskFaults, hasDiskFaults, type DiskFaults } from '../support/disk-faults.js';
import { create } from './changes.js';
import { loaded } from './contract.js';
import { sqlitePlace, type SqlitePlace } from './sqlite-place.js';
import { startChild, type StoreChild } from './store-child.js';

describe('SQLite store in a process that is killed', () => {
  let place: SqlitePlace;
  let child: StoreChild;

  beforeEach(async () => {
    place = await sqlitePlace();
    place.wallMs = Date.now();
    child = startChild(place.file);
  });

  afterEach(async () => {
    await child.kill();
    await place.dispose();
  });

  it('has everything that was acknowledged, and no half of a commit', async () => {
    let revision = 0n;
    for (const acknowledgements of [1, 25, 60]) {
      await child.tell('open');
      await child.tell('loop');
      for (let count = 1; count < acknowledgements; count++) {
        await child.next();
      }
      const last = (await child.kill()).at(-1);
      const store = await place.open();
      const state = await loaded(store);
      await store.close();
      const rounds = [...state.records.values()].map((record) => record.transitions);
      // Every round adds three: the names take their turns.
      expect(rounds).toHaveLength(3);
      expect(rounds[1]).toBe(rounds[0]! + 1);
      expect(rounds[2]).toBe(rounds[0]! + 2);
      expect(state.revision).toBeGreaterThanOrEqual(BigInt(last?.revision ?? 0));
      expect(state.revision).toBeGreaterThan(revision);
      revision = state.revision;
      child = startChild(place.file);
    }
  });

  it('leaves its file to the next process', async () => {
    await child.tell('open');
    await expect(place.open()).rejects.toMatchObject({ name: 'StoreOpenError', code: 'LOCKED' });
    await child.kill();
    await (await place.open()).close();
  });
});

describe.skipIf(!hasDiskFaults)('SQLite store on a disk that fails (needs a C compiler)', () => {
  let place: SqlitePlace;
  let faults: DiskFaults;
  let child: StoreChild;

  beforeEach(async () => {
    place = await sqlitePlace();
    place.wallMs = Date.now();
    faults = diskFaults(place.file);
    child = startChild(place.file, faults.env);
    expect(await child.tell('open')).toEqual({ rounds: [0, 0, 0] });
    expect(await child.tell('commit')).toMatchObject({ round: 3 });
  });

  afterEach(async () => {
    await child.kill();
    faults.dispose();
    await place.dispose();
  });

  it('says that the outcome is unknown when a commit cannot be synced, and takes nothing more', async () => {
    faults.failSync(true);
    expect(await child.tell('commit')).toMatchObject({ error: 'OutcomeUnknownError' });
    expect(faults.seen()).toBe(true);
    faults.failSync(false);
    expect(await child.tell('commit')).toMatchObject({ error: 'OutcomeUnknownError' });
    expect(await child.tell('close')).toEqual({});
  });

  it('has all of such a commit or nothing of it after a kill, and what it has stays', async () => {
    faults.failSync(true);
    await child.tell('commit');
    await child.kill();
    const seen: number[][] = [];
    for (let times = 0; times < 2; times++) {
      const store = await place.open();
      seen.push([...(await loaded(store)).records.values()].map((record) => record.transitions));
      await store.close();
    }
    expect([
      [1, 2, 3],
      [4, 5, 6],
    ]).toContainEqual(seen[0]);
    expect(seen[1]).toEqual(seen[0]);
  });

  it('is not opened again before what it loads is durable', async () => {
    faults.failSync(true);
    await child.tell('commit');
    await child.tell('close');
    expect(await child.tell('open')).toMatchObject({ error: 'StoreOpenError', code: 'UNUSABLE' });
    expect(faults.seen()).toBe(true);
    faults.failSync(false);
    const { rounds } = await child.tell('open');
    expect([
      [1, 2, 3],
      [4, 5, 6],
    ]).toContainEqual(rounds);
    expect(await child.tell('commit')).toMatchObject({ round: 9 });
  });

  it('takes nothing more when its log cannot be written back, and loses nothing', async () => {
    faults.failSync(true, 'store.db');
    let acknowledged = 0n;
    let answer = await child.tell('loop');
    for (; answer.error === undefined; answer = await child.next()) {
      acknowledged = BigInt(answer.revision!);
    }
    expect(answer.error).toBe('OutcomeUnknownError');
    expect(faults.seen()).toBe(true);
    await child.kill();
    const store = await place.open();
    expect((await loaded(store)).revision).toBeGreaterThanOrEqual(acknowledged);
    await store.close();
  });

  it('changes nothing when there is no room, and goes on once there is', async () => {
    faults.full(true);
    expect(await child.tell('commit')).toMatchObject({ error: 'StoreFullError' });
    expect(faults.seen()).toBe(true);
    expect(await child.tell('commit')).toMatchObject({ error: 'StoreFullError' });
    faults.full(false);
    expect(await child.tell('commit')).toMatchObject({ round: 12 });
    await child.kill();
    const store = await place.open();
    expect([...(await loaded(store)).records.values()].map((record) => record.transitions)).toEqual([10, 11, 12]);
    await store.close();
  });

  it('does not hold up the main thread while the disk stalls', async () => {
    faults.stallSync(true);
    const commit = child.tell('commit');
    await until(() => faults.seen());
    // Answers come in the order in which they are given: this one before that of the commit.
    const pong = child.tell('ping');
    expect(await commit).toEqual({ pong: true });
    faults.stallSync(false);
    expect(await pong).toMatchObject({ round: 6 });
  });
});

describe('SQLite store whose thread ends', () => {
  it('says that the outcome of what was under way is unknown, and can be opened again', async () => {
    const place = await sqlitePlace();
    let thread: Worker | undefined;
    process.once('worker', (worker) => {
      thread = worker;
    });
    const store: Store = await place.open();
    // While another connection writes, the commit waits.
    const other = new Database(place.file);
    other.exec('BEGIN IMMEDIATE');
    const commit = store.commit([create('a')]);
    const ended = expect(commit).rejects.toThrow(OutcomeUnknownError);
    const terminated = thread!.terminate();
    other.close();
    await terminated;
    await ended;
    await expect(store.commit([create('b')])).rejects.toThrow(OutcomeUnknownError);
    await expect(store.history(0n, 1)).rejects.toThrow(OutcomeUnknownError);
    await store.close();
    const again = await place.open();
    expect((await loaded(again)).records.has('default/b')).toBe(false);
    await again.close();
    await place.dispose();
  });
});

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
