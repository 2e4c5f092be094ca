import { MemoryStore } from '@leasehold/core';
import { MemoryDisk } from '@leasehold/core';
import { storeContract, type StorePlace } from './contract.js';

storeContract('MemoryStore', async (): Promise<StorePlace> => {
  let disk = new MemoryDisk();
  const place: StorePlace = {
    wallMs: 1_800_000_000_000,
    open: async (options) => new MemoryStore({ wallMs: () => place.wallMs, disk, ...options }),
    copy: async () => {
      const copy = cloneOf(disk);
      return async () => {
        disk = copy;
      };
    },
    dispose: async () => {},
  };
  return place;
});

function cloneOf(disk: MemoryDisk): MemoryDisk {
  const copy = new MemoryDisk();
  disk.records.forEach((record, key) => copy.records.set(key, record));
  copy.history.push(...disk.history);
  copy.revision = disk.revision;
  copy.floor = disk.floor;
  copy.note = disk.note;
  return copy;
}
