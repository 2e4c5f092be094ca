import { describe, expect, it } from 'vitest';
import { check } from './check.js';
import type { Fault } from '../../support/mutants.js';
import { plant } from './mutant.js';

/** Within so many runs the model has to find a fault. */
const runsMax = 1_000;

/** The same runs each time, so that a change of the code alone decides how many it takes. */
const seed = 3;

const faults: Readonly<Record<string, { readonly faults: readonly Fault[]; readonly found: RegExp }>> = {
  'a deadline that is counted from the answer': {
    faults: [
      {
        package: 'sdk',
        file: 'lease/held-lease.js',
        text: 'this.#takeRenewal({ sentAt, durationMs }',
        becomes: 'this.#takeRenewal({ sentAt: instantOf(this.#keeper.clock), durationMs }',
      },
    ],
    found: /lead at once|is not above/,
  },
  'an acknowledgement that is believed after the old deadline': {
    faults: [
      {
        package: 'sdk',
        file: 'lease/held-lease.js',
        text: '#takeRenewal(renewal, now) {\n        this.#look(now);',
        becomes: '#takeRenewal(renewal, now) {',
      },
      {
        package: 'sdk',
        file: 'lease/deadline.js',
        text: 'believed !== undefined && remainingMs(believed, now, limitMs) <= 0',
        becomes: 'false',
      },
    ],
    found: /whose deadline had passed/,
  },
  // Without the first of the two, the server would rarely be asked for a second grant.
  'a late second grant that is believed': {
    faults: [
      { package: 'sdk', file: 'lease/tenures.js', text: 'leftover !== undefined', becomes: 'false' },
      { package: 'sdk', file: 'lease/tenures.js', text: 'this.#book.isOver(lease, fencingToken)', becomes: 'false' },
    ],
    found: /which it had released/,
  },
  'a signal that aborts after the release': {
    faults: [
      {
        package: 'sdk',
        file: 'election/machine.js',
        text: 'function leaveTerm(working, exit, first) {',
        becomes:
          "function leaveTerm(working, exit, first) {\n    if (first.length > 0) return [{ phase: 'ending', exit, working }, [endTerm(exit, true), ...first]];",
      },
      {
        package: 'sdk',
        file: 'lease/held-lease.js',
        text: "this.#lose(new LeaseLostError(this.#error('RELEASED', 'was released')));",
        becomes: '',
      },
      {
        package: 'sdk',
        file: 'lease/held-lease.js',
        text: "await this.#keeper.release(this.#identity, '', options);",
        becomes:
          "await this.#keeper.release(this.#identity, '', options); this.#lose(new LeaseLostError(this.#error('RELEASED', 'was released')));",
      },
    ],
    found: /before its signal aborted|which it had released/,
  },
  'an old release that lands on a new tenure': {
    faults: [
      {
        package: 'core',
        file: 'lease/verbs/end.js',
        text: 'export function decideRelease(standing, command, moment) {',
        becomes:
          'export function decideRelease(standing, { ...command }, moment) {\n    command.fencingToken = visible(standing)?.fencingToken;',
      },
    ],
    found: /lead at once|which it had released/,
  },
};

describe('the model finds', () => {
  it.each(Object.entries(faults))(
    '%s',
    async (name, fault) => {
      const kit = await plant(name.replaceAll(' ', '-'), fault.faults);
      const { failure, runs } = await check(kit, { numRuns: runsMax, seed, endOnFailure: true });
      process.stdout.write(`found ${name} in run ${runs}: ${failure?.message.split('\n')[0] ?? 'not at all'}\n`);
      expect(failure?.message).toMatch(fault.found);
    },
    600_000,
  );
});
