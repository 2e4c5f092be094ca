// One candidate in an election. Start it in three terminals; Ctrl-C in that of the leader, and the next one leads:
//
//   node examples/election.mjs alice        (against a server: LEASEHOLD_ENDPOINT, by default 127.0.0.1:7400)
import { once } from 'node:events';
import { createClient } from '@leasehold/sdk';

const name = process.argv[2] ?? `candidate-${process.pid}`;

const client = createClient({ endpoints: (process.env.LEASEHOLD_ENDPOINT ?? '127.0.0.1:7400').split(','), holder: name });
const stop = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => stop.abort());

async function work(term) {
  console.log(`${name} leads with fencing token ${term.fencingToken}`);
  // A real leader does its work here, calls term.assertHeld() before each write, and sends term.fencingToken along with it.
  if (!term.signal.aborted) await once(term.signal, 'abort');
  console.log(`${name} stops leading`);
}

console.log(`${name} stands for election`);
await client.elect('example-election', { leaseDurationMs: 3_000 }, work, { signal: stop.signal });
await client.close();
console.log(`${name} leaves`);
