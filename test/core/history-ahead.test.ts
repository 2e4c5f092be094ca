import {
  defaultLimits,
  everything,
  MemoryDisk,
  MemoryStore,
  startCoordinator,
  type Change,
  type CommittedChange,
  type WatchMessage,
} from '@leasehold/core';
import { FakeClock, settle } from '@leasehold/sdk/testing';
import { expect, it } from 'vitest';
import { acquire } from './world.js';

/** A store whose commits are there before their answers are: as etcd's, whose history may be read meanwhile. */
class SlowAnswers extends MemoryStore {
  answer: () => void = () => undefined;
  isSlow = false;

  override async commit(changes: readonly Change[]): Promise<readonly CommittedChange[]> {
    const committed = await super.commit(changes);
    if (this.isSlow) await new Promise<void>((resolve) => (this.answer = resolve));
    return committed;
  }
}

it('a change that is read from the history before its commit was answered comes once', async () => {
  const [clock, disk] = [new FakeClock(), new MemoryDisk()];
  const open = (store: MemoryStore) =>
    startCoordinator({ store, clock: clock.process(), limits: defaultLimits, newUid: () => 'uid', onFailure: () => undefined });
  const wallMs = (): number => clock.wallMs();
  const first = await open(new MemoryStore({ wallMs, disk }));
  await first.submit({ ...acquire('a'), name: 'one' });
  await first.submit({ ...acquire('a'), name: 'two' });
  const from = first.get('default', 'one').record.fencingToken;
  const store = new SlowAnswers({ wallMs, disk });
  const second = await open(store);
  store.isSlow = true;
  void second.submit({ ...acquire('b'), name: 'three' });
  await settle();
  const messages: WatchMessage[] = [];
  second.watch(
    { namespace: '', name: '', selector: everything, fromRevision: from, includeRenewals: false },
    { write: (message) => messages.push(message) > 0, end: (error) => expect(error).toBeUndefined() },
  );
  await settle();
  store.answer();
  await settle();
  expect(messages.flatMap(({ events }) => events.map(({ lease }) => lease.name))).toEqual(['two', 'three']);
});
