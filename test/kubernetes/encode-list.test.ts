import { describe, expect, it, vi } from 'vitest';
import { encodeItems, encodeList, type AnyList } from '../../server/dist/kubernetes/codec/encode-list.js';
import { encode } from '../../server/dist/kubernetes/codec/encode.js';
import { transform } from '../../server/dist/kubernetes/codec/transform.js';
import type { LeaseObject } from '../../server/dist/kubernetes/lease-object.js';
import type { LeaseList } from '../../server/dist/kubernetes/objects.js';
import { leases, LeaseWorld, merge } from './lease-world.js';

const objects = Array.from({ length: 7 }, (_, index): LeaseObject => {
  const metadata = { name: `lease-${index}`, namespace: 'default', creationTimestamp: '2026-01-01T00:00:00Z' };
  return { kind: 'Lease', apiVersion: 'coordination.k8s.io/v1', metadata, spec: { holderIdentity: `holder-${index}` } };
});

function listOf(items: readonly LeaseObject[]): LeaseList {
  return { kind: 'LeaseList', apiVersion: 'coordination.k8s.io/v1', metadata: { resourceVersion: '5', continue: 'x' }, items };
}

describe('a list written piece by piece is the same as one written at once:', () => {
  const kinds = [undefined, 'Table', 'PartialObjectMetadataList'] as const;
  const cases = kinds.flatMap((kind) =>
    (['json', 'yaml', 'protobuf'] as const)
      .filter((format) => kind !== 'Table' || format !== 'protobuf')
      .map((format) => ({ kind, format })),
  );

  it.each(cases)('$kind in $format', async ({ kind, format }) => {
    const shown = (items: readonly LeaseObject[]): AnyList => {
      const as = kind === undefined ? undefined : { kind, group: 'meta.k8s.io', version: 'v1' };
      return transform(listOf(items), as, { includeObject: 'Metadata', nowMs: 0, withColumns: true }) as AnyList;
    };
    for (const cuts of [[0, 7], [0, 3, 5, 7], [0, 0, 7, 7], [0]]) {
      const pieces = cuts.slice(1).map((end, index) => encodeItems(shown(objects.slice(cuts[index], end)), format));
      const whole = shown(cuts.length === 1 ? [] : objects);
      const { contentType, body } = await encodeList(shown([]), pieces, format, () => Promise.resolve());
      const expected = encode(whole, { format, pretty: false });
      expect(contentType).toBe(expected.contentType);
      expect(Buffer.from(body).toString('latin1')).toBe(Buffer.from(expected.body).toString('latin1'));
    }
  });
});

it('others have their turns between the pieces of a long list', async () => {
  const world = await LeaseWorld.start();
  const names = Array.from({ length: 200 }, (_, index) => `lease-${String(index).padStart(3, '0')}`);
  for (const name of names) await world.ask('POST', leases, { body: { metadata: { name }, spec: { holderIdentity: 'h' } } });
  const soon = vi.spyOn(world.world.clock, 'soon');
  const { list } = await world.ask('GET', leases);
  expect(list.items.map(({ metadata }) => metadata.name)).toEqual(names);
  // 200 leases are four pieces.
  expect(soon).toHaveBeenCalledTimes(4);
});

it.each(['application/json', 'application/vnd.kubernetes.protobuf'])(
  'a long list that is asked for again says the same, but for what has changed since: %s',
  async (accept) => {
    const world = await LeaseWorld.start();
    const names = Array.from({ length: 100 }, (_, index) => `lease-${String(index).padStart(3, '0')}`);
    for (const name of names)
      await world.ask('POST', leases, { body: { metadata: { name }, spec: { holderIdentity: 'hölder' } } });
    const list = () => world.ask('GET', leases, { headers: { accept } });
    const first = await list();
    expect(first.text.match(/hölder/g)).toHaveLength(100);
    expect((await list()).text).toBe(first.text);
    const spec = { holderIdentity: 'another' };
    await world.ask('PATCH', `${leases}/lease-050`, { body: { spec }, headers: merge });
    const changed = await list();
    expect(changed.text.match(/hölder/g)).toHaveLength(99);
    expect(changed.text.match(/another/g)).toHaveLength(1);
  },
);
