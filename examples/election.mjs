// One candidate in an election. Start it in several terminals against one server, kill the one that leads, and watch:
//
//   node examples/candidate.mjs alice
//   node examples/candidate.mjs bob 127.0.0.1:7400
import { once } from 'node:events';
import { createClient } from '@leasehold/sdk';

const [name = `candidate-${process.pid}`, endpoint = '127.0.0.1:7400'] = process.argv.slice(2);

const client = createClient({ endpoints: [endpoint], holder: name });
const stop = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => stop.abort());

async function work(term) {
  console.log(`${name} leads with fencing token ${term.fencingToken}`);
  // A real leader does its work here, calls term.assertHeld() before each write, and sends term.fencingToken along with it.
  if (!term.signal.aborted) await once(term.signal, 'abort');
  console.log(`${name} stops leading`);
}

console.log(`${name} stands for election`);
await client.elect('failover-demo', { leaseDurationMs: 3_000 }, work, { signal: stop.signal });
await client.close();
console.log(`${name} leaves`);
