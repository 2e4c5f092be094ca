import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { LeaseObject } from '../../server/dist/kubernetes/lease-object.js';
import { readManagers, writeManagers } from '../../server/dist/kubernetes/managed-fields/managers.js';
import { rewriteOwn } from '../../server/dist/kubernetes/managed-fields/rewrite-own.js';
import { trackUpdate, updateManagers } from '../../server/dist/kubernetes/managed-fields/update.js';
import { created, lease, managedBy, now, then } from './managed-objects.js';

/** The short way of a renewal finds what the long one does, or leaves the write to it. */

const live = created(lease({ holderIdentity: 'h', leaseDurationSeconds: 5, renewTime: '1' }, { labels: { a: '1' } }), 'holder');

test('a holder who renews has only another time', () => {
  const managers = rewriteOwn(live, { ...live, spec: { ...live.spec, renewTime: '2' } }, { manager: 'holder', now });
  expect(managers).toEqual(live.metadata.managedFields?.map((entry) => ({ ...entry, time: now })));
});

test('a stated list that is not the one there is left to the long way', () => {
  const reset = managedBy({ ...live, spec: { ...live.spec, renewTime: '2' } }, []);
  expect(rewriteOwn(live, reset, { manager: 'holder', now })).toBeUndefined();
});

test('whatever managers write one after the other, the short way finds what the long one finds', () => {
  const manager = fc.constantFrom('holder', 'holder', 'holder', 'other', 'third');
  const value = fc.constantFrom('1', '2', '3');
  const spec = fc.record(
    { holderIdentity: value, leaseDurationSeconds: fc.constantFrom(5, 6), renewTime: value },
    { requiredKeys: ['holderIdentity'] },
  );
  const labels = fc.option(fc.dictionary(fc.constantFrom('a', 'b'), value), { nil: undefined, freq: 2 });
  // Mostly renewals: the way that is looked at.
  const change = fc.oneof(
    { weight: 3, arbitrary: fc.record({ renewTime: fc.integer().map(String) }) },
    { weight: 1, arbitrary: spec },
  );
  const writes = fc.array(fc.record({ manager, change, labels, replaces: fc.boolean(), tick: fc.nat(2) }), {
    minLength: 6,
    maxLength: 20,
  });
  let short = 0;
  fc.assert(
    fc.property(writes, (all) => {
      let object = live;
      let seconds = 0;
      for (const write of all) {
        seconds += write.tick;
        const at = new Date(Date.parse(then) + seconds * 1000).toISOString().replace('.000', '');
        const after = written(object, write);
        const rewritten = rewriteOwn(object, after, { manager: write.manager, now: at });
        if (rewritten !== undefined) {
          short += 1;
          const managers = readManagers(object.metadata.managedFields)!;
          const update = { before: object, after, manager: write.manager, now: at };
          expect(rewritten).toEqual(writeManagers(updateManagers(managers, update)));
        }
        object = managedBy(after, trackUpdate({ before: object, after, manager: write.manager, now: at }));
      }
    }),
    { numRuns: 300 },
  );
  expect(short).toBeGreaterThan(300);
});

interface Write {
  readonly change: LeaseObject['spec'];
  readonly labels: Record<string, string> | undefined;
  readonly replaces: boolean;
}

function written(object: LeaseObject, { change, labels, replaces }: Write): LeaseObject {
  const metadata = labels === undefined ? object.metadata : { ...object.metadata, labels };
  return { ...object, metadata, spec: replaces ? { ...change } : { ...object.spec, ...change } };
}
