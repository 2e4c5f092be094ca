import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { withoutEtcd } from '../../support/etcd-process.js';
import { Scene } from './scene.js';

/**
 * Three servers over three members of etcd, under a load of clients, while processes are killed and paused and connections cut, in an
 * order by chance. What clients and watchers were told is recorded and checked: each lease for linearizability, and what each client
 * believes to hold.
 *
 * For longer: `FAULT_SECONDS=600 FAULT_RUNS=10 SEED=7 npx vitest run test/e2e/cluster/random-faults.test.ts`. Runs have the seeds `SEED`, `SEED` + 1
 * and so on. A seed repeats the order of the faults and what each client wants, not when the machine does what.
 */
const { FAULT_SECONDS = '40', FAULT_RUNS = '1', SEED } = process.env;
const faultMs = Number(FAULT_SECONDS) * 1000;
const firstSeed = Number(SEED ?? Math.floor(Math.random() * 2 ** 32));
const seeds = Array.from({ length: Number(FAULT_RUNS) }, (_, run) => firstSeed + run);

describe.skipIf(withoutEtcd !== '')(`several servers on one etcd${withoutEtcd}`, () => {
  it.each(seeds)(
    'keep every promise while members, servers and connections fail (SEED=%d)',
    async (seed) => {
      const scene = await Scene.set(seed);
      scene.begin();
      await sleep(2000);
      await scene.faults.rage(performance.now() + faultMs);
      const findings = await scene.findings();
      process.stdout.write(`SEED=${seed}: ${scene.summary}\n`);
      expect(findings).toEqual([]);
      expect(scene.answered).toBeGreaterThan(100);
    },
    faultMs + 300_000,
  );
});
