import { describe, expect, it } from 'vitest';
import { plantFaults, testMutant } from '../support/mutants.js';
import { plant } from './mutant.js';
import { foundBySeed, foundBySeedWithSdk, foundByTest, removedRules } from './removed-rules.js';
import { runSeed } from './run.js';
import type { HolderKinds } from './simulation.js';

/** Within so many runs, from the seed that has found it, a rule that is missing has to be found. */
const runsMax = 300;

async function find(holders: HolderKinds, name: string, first: number): Promise<void> {
  const kit = await plant(nameOf(name), removedRules[name] ?? []);
  const failures: Error[] = [];
  for (let seed = first; failures.length === 0 && seed < first + runsMax; seed += 1) {
    await runSeed(kit, seed, holders).catch((error: unknown) => failures.push(error as Error));
  }
  expect(failures.map(({ message }) => message.split('\n')[0])).toHaveLength(1);
}

/** Of the copy that has the faults. */
function nameOf(rule: string): string {
  return rule.replaceAll(/[^a-z]+/gi, '-');
}

it('every rule that can be removed is looked for', () => {
  const lookedFor = { ...foundBySeed, ...foundBySeedWithSdk, ...foundByTest };
  expect(Object.keys(lookedFor).sort()).toEqual(Object.keys(removedRules).sort());
});

describe('the simulation finds, with modelled holders, that', () => {
  it.each(Object.entries(foundBySeed))('%s', (name, first) => find('modelled', name, first), 600_000);
});

describe('the simulation finds, with holders of the SDK among them, that', () => {
  it.each(Object.entries(foundBySeedWithSdk))('%s', (name, first) => find('mixed', name, first), 600_000);
});

describe('a test finds that', () => {
  it.each(Object.entries(foundByTest))(
    '%s',
    async (name, test) => {
      const faults = removedRules[name] ?? [];
      const top = faults[0]?.package === 'sdk' ? 'sdk' : 'server';
      const outcomes = await testMutant(await plantFaults(nameOf(name), top, faults), test);
      expect(outcomes).toMatchObject([
        { state: 'failed', errors: [{ name: expect.stringMatching(/^(AssertionError|Violation)$/) as string }] },
      ]);
    },
    120_000,
  );
});
