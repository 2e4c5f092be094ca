import type { CommittedChange, LeaseRecord } from '@leasehold/core';
import { beforeEach, describe, expect, it } from 'vitest';
import { RecentChanges } from '../../core/dist/coordinator/recent-changes.js';
import { World } from './world.js';

let record: LeaseRecord;

beforeEach(async () => {
  const world = await World.start();
  await world.grant('a');
  ({ record } = world.lease);
});

/** A change of a lease with annotations of this length. */
function change(revision: bigint, length: number): CommittedChange {
  const lease = { ...record, resourceVersion: revision, annotations: { note: 'x'.repeat(length) } };
  return { revision, key: 'default/example', record: lease, events: [] };
}

/** How many changes are kept, and whether they are those after the floor. */
function kept(recent: RecentChanges, last: bigint): number {
  const changes = recent.after(0n, 1_000_000);
  const first = changes[0]?.revision ?? last + 1n;
  expect(recent.knows(first - 1n)).toBe(true);
  expect(recent.reachesBackTo(first - 1n)).toBe(true);
  expect(recent.reachesBackTo(first - 2n)).toBe(false);
  expect(changes.at(-1)?.revision ?? last).toBe(last);
  return changes.length;
}

describe('the changes that are kept in memory', () => {
  it('are as many as are wanted, up to twice that', () => {
    const recent = new RecentChanges(10, 0n);
    for (let revision = 1n; revision <= 100n; revision += 1n) {
      recent.add([change(revision, 1)], [undefined]);
      expect(recent.after(0n, 1000).length).toBeLessThanOrEqual(20);
    }
    expect(kept(recent, 100n)).toBeGreaterThanOrEqual(10);
  });

  it('are fewer where they are long', () => {
    const recent = new RecentChanges(8192, 0n);
    const MiB = 1024 ** 2;
    for (let revision = 1n; revision <= 300n; revision += 1n) {
      recent.add([change(revision, MiB)], [undefined]);
      expect(recent.after(0n, 1000).length).toBeLessThanOrEqual(128);
    }
    expect(kept(recent, 300n)).toBeGreaterThanOrEqual(60);
    // Short ones are as many as ever again.
    for (let revision = 301n; revision <= 9000n; revision += 1n) recent.add([change(revision, 1)], [undefined]);
    expect(kept(recent, 9000n)).toBeGreaterThan(8192);
  });

  it('can be none, if one is too long by itself, and then a watch reads it from the store', () => {
    const recent = new RecentChanges(10, 5n);
    recent.add([change(6n, 200 * 1024 ** 2)], [undefined]);
    expect(kept(recent, 6n)).toBe(0);
    recent.add([change(7n, 1)], [undefined]);
    expect(kept(recent, 7n)).toBe(1);
  });
});
