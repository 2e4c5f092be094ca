import { status as codes } from '@grpc/grpc-js';
import { MemoryStore, OutcomeUnknownError, type Change, type CommittedChange, type Store } from '@leasehold/core';
import { describe, expect, test } from 'vitest';
import { MemoryDisk } from '../../core/dist/store/memory.js';
import { acquire, call, eventually, get, readRefusal, refusalOf, startTestServer, TestHeartbeat, TestWatch } from './support.js';

describe('a store that fails so that outcomes are unknown', () => {
  test('ends all streams and refuses all calls until it is open again, and then serves what is stored', async () => {
    const disk = new FailingDisk();
    const { client, newClient } = await startTestServer([], { openStore: disk.open });
    const lease = await acquire(client);
    const heartbeat = new TestHeartbeat(newClient());
    await heartbeat.attach(lease);
    const watch = new TestWatch(newClient());
    await watch.until(() => watch.received.length > 0);

    disk.opening = new Promise((resolve) => {
      disk.letOpen = resolve;
    });
    disk.failing = true;
    expect(await refusalOf(acquire(client, { name: 'b' }))).toMatchObject({ code: codes.UNAVAILABLE, reason: 'OUTCOME_UNKNOWN' });
    expect(readRefusal(await heartbeat.failure())).toMatchObject({
      code: codes.UNAVAILABLE,
      reason: 'STORE_UNAVAILABLE',
    });
    expect(readRefusal(await watch.ended)).toMatchObject({ code: codes.UNAVAILABLE, reason: 'STORE_UNAVAILABLE' });
    expect(await refusalOf(get(client))).toMatchObject({ code: codes.UNAVAILABLE, reason: 'STORE_UNAVAILABLE' });
    const { fencingToken } = lease;
    const validate = call(client, 'validate', { namespace: 'default', name: 'a', fencingToken });
    expect(await refusalOf(validate)).toMatchObject({ code: codes.UNAVAILABLE, reason: 'STORE_UNAVAILABLE' });
    expect(readRefusal(await new TestHeartbeat(client).failure())).toMatchObject({ reason: 'STORE_UNAVAILABLE' });
    expect(readRefusal(await new TestWatch(client).ended)).toMatchObject({ reason: 'STORE_UNAVAILABLE' });
    expect(disk.closed).toBe(1);

    disk.failing = false;
    disk.letOpen();
    await eventually(() => get(client).then(isThere, () => false));
    const again = new TestHeartbeat(client);
    const handle = await again.attach(lease);
    expect((await again.acknowledged(again.send({ handles: [handle] }))).excepted).toEqual([]);
    await acquire(client, { name: 'b' });
  });

  test('is tried again when it cannot be opened', async () => {
    const disk = new FailingDisk();
    const { client } = await startTestServer([], { openStore: disk.open });
    await acquire(client);
    disk.failing = true;
    disk.refusals = 2;
    await refusalOf(acquire(client, { name: 'b' }));
    disk.failing = false;
    await eventually(() => get(client).then(isThere, () => false));
    expect(disk.refusals).toBe(0);
  });

  test('does not keep a drain from ending, which says that it failed', async () => {
    const disk = new FailingDisk();
    const { client, server } = await startTestServer(['--drain-timeout', '500ms'], { openStore: disk.open });
    await acquire(client);
    disk.failing = true;
    await refusalOf(acquire(client, { name: 'b' }));
    await expect(server.drain()).rejects.toThrow('the store had failed');
  });
});

function isThere(): boolean {
  return true;
}

/** A disk in memory whose commits fail at will. What failed may or may not be there afterwards: here it is not. */
class FailingDisk {
  readonly #disk = new MemoryDisk();
  failing = false;
  /** How often opening it fails yet. */
  refusals = 0;
  opening: Promise<void> = Promise.resolve();
  letOpen: () => void = () => undefined;
  closed = 0;

  readonly open = async (): Promise<Store> => {
    await this.opening;
    if (this.failing && this.refusals === 0) {
      throw new Error('still failing');
    }
    if (this.refusals > 0) {
      this.refusals--;
      throw new Error('cannot be opened');
    }
    const store = new MemoryStore({ wallMs: () => Date.now(), disk: this.#disk });
    return {
      load: (take) => store.load(take),
      history: (after, limit) => store.history(after, limit),
      leaveNote: (note) => store.leaveNote(note),
      takeNote: () => store.takeNote(),
      commit: (changes: readonly Change[]): Promise<readonly CommittedChange[]> =>
        this.failing ? Promise.reject(new OutcomeUnknownError('the disk lies')) : store.commit(changes),
      close: () => {
        this.closed++;
        return store.close();
      },
    };
  };
}
