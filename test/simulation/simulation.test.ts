import { expect, it } from 'vitest';
import { loadKit } from './kit.js';
import { runSeed } from './run.js';

/**
 * Three servers, the real coordinator and the real store on an etcd in memory, holders, and the networks between them, in one process and
 * in virtual time. Servers are cut off from etcd, hear of it late or not at all, are paused, killed and redeployed; holders move, keep two
 * streams, release late, die. What is checked, at every instant where anything happens, stands in `witness.ts`; and once the faults have
 * stopped, who waits is served.
 *
 * `SIMULATION_RUNS` says how many runs; `SEED` is that of the first, and replays a failure, as its report says; `TRACE=1` shows all of it.
 */
it('three servers on one etcd keep their promises under random faults', async () => {
  const { SIMULATION_RUNS: runs = '40', SEED: first = '1' } = process.env;
  const root = new URL('../../', import.meta.url);
  const kit = await loadKit(new URL('core/', root), new URL('server/', root));
  let [held, acknowledged] = [0, 0];
  for (let seed = Number(first); seed < Number(first) + Number(runs); seed += 1) {
    const { counts } = await runSeed(kit, seed);
    held += counts['held'] ?? 0;
    acknowledged += counts['acknowledged'] ?? 0;
  }
  // A simulation in which nothing happens finds nothing.
  expect(held).toBeGreaterThan(Number(runs));
  expect(acknowledged).toBeGreaterThan(Number(runs));
}, 3_600_000);
