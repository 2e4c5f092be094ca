import { describe, expect, it } from 'vitest';
import { plantFaults } from '../support/mutants.js';
import { loadKit } from './kit.js';
import { foundBySeed, removedRules } from './removed-rules.js';
import { runSeed } from './run.js';

/** Within so many runs, from the seed that has found it, a rule that is missing has to be found. */
const runsMax = 300;

describe('the simulation finds that', () => {
  it.each(Object.entries(foundBySeed))(
    '%s',
    async (name, first) => {
      const mutant = await plantFaults(name.replaceAll(/[^a-z]+/g, '-'), 'server', removedRules[name] ?? []);
      const kit = await loadKit(mutant.core, mutant.package);
      const failures: Error[] = [];
      for (let seed = first; failures.length === 0 && seed < first + runsMax; seed += 1) {
        await runSeed(kit, seed).catch((error: unknown) => failures.push(error as Error));
      }
      expect(failures.map(({ message }) => message.split('\n')[0])).toHaveLength(1);
    },
    600_000,
  );
});
