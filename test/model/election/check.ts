import fc from 'fast-check';
import type { Kit } from './kit.js';
import { plans } from './plans.js';
import { type Plan, Simulation } from './simulation.js';

/** What a check came to. */
export interface Checked {
  /** How many runs there were; of a check that failed, up to the failure. */
  readonly runs: number;
  readonly terms: number;
  readonly refusedWrites: number;
  /** What went wrong and how to see it again; `undefined`: nothing. */
  readonly failure: Error | undefined;
}

/** Runs plans until one of them breaks a promise. The parameters are fast-check's. */
export async function check(kit: Kit, parameters: fc.Parameters<[Plan]>): Promise<Checked> {
  const total = { terms: 0, refusedWrites: 0 };
  const property = fc.asyncProperty(plans, async (plan) => {
    const { terms, refusedWrites } = await Simulation.run(kit, plan);
    total.terms += terms;
    total.refusedWrites += refusedWrites;
  });
  const details = await fc.check(property, parameters);
  return { runs: details.numRuns, ...total, failure: failureOf(details) };
}

function failureOf(details: fc.RunDetails<[Plan]>): Error | undefined {
  if (!details.failed) return undefined;
  const replay = `MODEL_SEED=${details.seed} MODEL_PATH=${details.counterexamplePath ?? ''} npx vitest run test/model/election`;
  const what = details.errorInstance instanceof Error ? details.errorInstance.message : String(details.errorInstance);
  const report = fc.defaultReportMessage(details) ?? '';
  return new Error(`${what}\n${report}\nReplay: ${replay}`, { cause: details.errorInstance });
}
