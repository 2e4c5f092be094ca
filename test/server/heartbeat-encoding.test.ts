import { HeartbeatResponse } from '@leasehold/proto/leasehold/v1/lease_service';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { encodeHeartbeatResponse } from '../../server/dist/grpc/heartbeat-encoding.js';

const bare = { attached: [], excepted: [], lost: [], durations: [], draining: false };

it.each([0n, 1n, 127n, 128n, 16_383n, 16_384n, 2_097_151n, 2_097_152n, 2n ** 28n - 1n, 2n ** 28n, 2n ** 53n, 2n ** 64n - 1n])(
  'encodes the acknowledgement of %s as the generated code does',
  (acknowledged) => {
    const message = { ...bare, acknowledged };
    expect([...encodeHeartbeatResponse(message)]).toEqual([...HeartbeatResponse.encode(message).finish()]);
  },
);

it('encodes every answer so that the generated code reads it back', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: 2n ** 40n }), fc.boolean(), fc.array(fc.nat()), (acknowledged, draining, handles) => {
      const excepted = handles.map((handle) => ({ handle, sequence: acknowledged, refusal: 1 as const }));
      const message = { ...bare, acknowledged, draining, excepted };
      expect(HeartbeatResponse.decode(encodeHeartbeatResponse(message))).toEqual(message);
    }),
  );
});
