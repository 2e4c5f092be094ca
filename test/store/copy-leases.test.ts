import { checkName, MemoryDisk, MemoryStore, type LeaseRecord } from '@leasehold/core';
import { describe, expect, it } from 'vitest';
import { copyLeases, readContent } from '../../server/dist/store/copy-leases.js';
import { markUnfinished, refuseUnfinished } from '../../server/dist/store/unfinished.js';
import { create, grant, newRecord } from './changes.js';

const wallMs = 1_800_000_000_000;

describe('a copy of leases', () => {
  it('stays unfinished when the source was lost sight of, and is complete once it is repeated', async () => {
    const source = new MemoryStore({ wallMs: () => wallMs });
    await source.commit([grant(newRecord('held'), 'alice'), create('free')]);
    const content = await readContent(source);
    const disk = new MemoryDisk();
    const target = (): MemoryStore => new MemoryStore({ wallMs: () => wallMs + 60_000, disk });
    const lost = copyLeases(content, target(), () => {
      throw new Error('lost sight');
    });
    await expect(lost).rejects.toThrow('lost sight');
    await expect(readContent(refuseUnfinished(target()))).rejects.toThrow('a migration into it was not finished');

    await copyLeases(content, target(), () => undefined);
    const copied = await readContent(refuseUnfinished(target()));
    expect(copied.records.map(withoutVersion)).toEqual(content.records.map(withoutVersion));
    expect(copied.records.map(({ resourceVersion }) => resourceVersion > content.revision)).toEqual([true, true]);
  });

  it('is marked by what no client can make: its names are none of leases', () => {
    const { namespace, name } = markUnfinished.record!;
    expect(() => {
      checkName(namespace, 'a');
    }).toThrow('namespace');
    expect(() => {
      checkName('a', name);
    }).toThrow('name');
  });
});

function withoutVersion({ resourceVersion: _, ...record }: LeaseRecord): object {
  return record;
}
