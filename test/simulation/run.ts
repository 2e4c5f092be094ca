import type { Kit } from './kit.js';
import { Simulation, type HolderKinds, type Tally } from './simulation.js';

/** One run by its seed. @throws what went wrong, with how to see it again. */
export async function runSeed(kit: Kit, seed: number, holders: HolderKinds = 'modelled'): Promise<Tally> {
  const simulation = new Simulation(kit, seed, holders);
  try {
    return await simulation.run();
  } catch (error) {
    const what = error instanceof Error ? error : new Error(String(error));
    const last = process.env['TRACE'] === undefined ? simulation.witness.trace.slice(-30) : simulation.witness.trace;
    const message = `seed ${seed}: ${what.message}\n${last.join('\n')}\nReplay: SEED=${seed} SIMULATION_RUNS=1 npx vitest run test/simulation/simulation.test.ts -t ${holders}`;
    throw new Error(message, { cause: error });
  }
}
