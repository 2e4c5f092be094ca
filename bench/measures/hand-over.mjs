// From a release to the answer of who waited, on another connection.
import { setTimeout as sleep } from 'node:timers/promises';
import { percentile } from '../support/compare.mjs';
import { acquireRequest, promises, withLeasehold } from '../support/leasehold.mjs';
import { ms } from '../support/table.mjs';

export const title = 'Hand-over after a release';

export async function run({ memory, handOvers }) {
  return withLeasehold({ memory }, async ({ connect }) => {
    const latencies = await pass([promises(connect()), promises(connect())], handOvers);
    return [
      {
        what: `${title}, ${handOvers.toLocaleString('en-US')} times`,
        ours: `p50 ${ms(percentile(latencies, 0.5))}, p99 ${ms(percentile(latencies, 0.99))}, max ${ms(Math.max(...latencies))}`,
        peer: 'client-go, measured elsewhere: median 0.7 s, max 2.5 s',
        target: 'p99 ≤ 10 ms',
        durability: 'synced to disk before the answer',
        notes: 'from before the release is sent to after the grant has come',
      },
    ];
  });
}

/** Passes a lease back and forth between two clients. */
async function pass(clients, count) {
  const request = (holder) =>
    acquireRequest('hand-over', 60_000, { holder: `holder-${holder}`, wait: { seconds: 60n, nanos: 0 } });
  let { outcome } = await clients[0].acquire(request(0));
  const latencies = [];
  for (let turn = 0; turn < count; turn++) {
    const [holder, next] = turn % 2 === 0 ? [0, 1] : [1, 0];
    const granted = clients[next].acquire(request(next)).then((answer) => ({ answer, at: performance.now() }));
    // So that it waits in the queue.
    await sleep(5);
    const { namespace, name, fencingToken } = outcome.value;
    const begin = performance.now();
    await clients[holder].release({ namespace, name, fencingToken, transferTo: '' });
    const { answer, at } = await granted;
    latencies.push(at - begin);
    outcome = answer.outcome;
  }
  return latencies;
}
