import { describe, expect, it } from 'vitest';
import { plantFaults, testMutant, type Mutant } from '../support/mutants.js';
import { loadKit } from './kit.js';
import { foundBySeed, foundByTest, removedRules } from './removed-rules.js';
import { runSeed } from './run.js';

/** Within so many runs, from the seed that has found it, a rule that is missing has to be found. */
const runsMax = 300;

function withoutRule(name: string): Promise<Mutant> {
  return plantFaults(name.replaceAll(/[^a-z]+/g, '-'), 'server', removedRules[name] ?? []);
}

it('every rule that can be removed is looked for', () => {
  expect(Object.keys({ ...foundBySeed, ...foundByTest }).sort()).toEqual(Object.keys(removedRules).sort());
});

describe('the simulation finds that', () => {
  it.each(Object.entries(foundBySeed))(
    '%s',
    async (name, first) => {
      const mutant = await withoutRule(name);
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

describe('a test finds that', () => {
  it.each(Object.entries(foundByTest))(
    '%s',
    async (name, test) => {
      const outcomes = await testMutant(await withoutRule(name), test);
      expect(outcomes).toMatchObject([
        { state: 'failed', errors: [{ name: expect.stringMatching(/^(AssertionError|Violation)$/) as string }] },
      ]);
    },
    120_000,
  );
});
