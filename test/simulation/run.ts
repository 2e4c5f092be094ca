import type { Kit } from './kit.js';
import { Simulation, type Tally } from './simulation.js';

/** One run by its seed. @throws what went wrong, with how to see it again. */
export async function runSeed(kit: Kit, seed: number): Promise<Tally> {
  const simulation = new Simulation(kit, seed);
  try {
    return await simulation.run();
  } catch (error) {
    const what = error instanceof Error ? error : new Error(String(error));
    const last = process.env['TRACE'] === undefined ? simulation.witness.trace.slice(-30) : simulation.witness.trace;
    const message = `seed ${seed}: ${what.message}\n${last.join('\n')}\nReplay: SEED=${seed} SIMULATION_RUNS=1 npx vitest run test/simulation`;
    throw new Error(message, { cause: error });
  }
}
