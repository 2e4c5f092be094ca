import type * as sdk from '@leasehold/sdk';
import type * as testing from '@leasehold/sdk/testing';

/** The parts of the SDK that a run uses: as built, or a mutated copy. */
export interface Kit {
  readonly createClient: typeof sdk.createClient;
  readonly FakeClock: typeof testing.FakeClock;
  readonly TestServer: typeof testing.TestServer;
}
