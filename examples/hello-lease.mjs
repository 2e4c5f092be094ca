// Takes a lease, holds it for longer than it lasts by itself, and gives it back:
//
//   node examples/hello-lease.mjs        (against a server: LEASEHOLD_ENDPOINT, by default 127.0.0.1:7400)
import { setTimeout as sleep } from 'node:timers/promises';
import { createClient } from '@leasehold/sdk';

const client = createClient({ endpoints: (process.env.LEASEHOLD_ENDPOINT ?? '127.0.0.1:7400').split(',') });

const { granted: lease, busy } = await client.acquire('hello-lease', { durationMs: 2_000 });
if (lease === undefined) {
  console.log(`${busy.holder} has it, for ${Math.round(busy.remainingMs)} ms at least`);
} else {
  console.log(`mine, with fencing token ${lease.fencingToken}`);
  await sleep(3_000);
  lease.assertHeld(); // throws if it were lost: call it right before everything that only the holder may do
  console.log('still mine: it is kept alive in the background');
  await lease.release();
  console.log('given back');
}
await client.close();
