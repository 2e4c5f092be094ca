import { writeFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { Chance } from '../../support/chance.js';
import { staleWrites } from './fenced-register.js';
import { faultKinds, playRound, type FaultKind, type Round } from './rounds.js';
import { Stage } from './stage.js';

/**
 * How the rounds are played: `ROUNDS=100 SEED=7 npx vitest run test/e2e/elections`. The benchmark plays more of them, and other kinds,
 * and reads what they came to from `REPORT`, a file.
 */
const { ROUNDS = '12', SEED, KINDS, LEASE_MS = '2000', REPORT } = process.env;
const rounds = Number(ROUNDS);
const seed = Number(SEED ?? Math.floor(Math.random() * 2 ** 32));
const kinds = KINDS === undefined ? faultKinds : (KINDS.split(',') as FaultKind[]);
const leaseMs = Number(LEASE_MS);

/** What no round of these takes even on a busy machine. */
const roundMs = 20_000 + 8 * leaseMs;

it(
  `of three candidates never two believe that they lead, in ${rounds} rounds of faults (SEED=${seed})`,
  async () => {
    const chance = new Chance(seed);
    const stage = await Stage.set({ leaseMs });
    const { witness, register, seats } = stage;
    await Promise.all(seats.map((seat) => seat.fill()));
    await stage.heard('A first leader', ({ last }) => last);

    const played: Round[] = [];
    for (const kind of chance.deal(kinds, rounds)) {
      try {
        played.push(await playRound(stage, kind, chance));
      } catch (error) {
        throw new Error(`Round ${played.length + 1} (${kind})`, { cause: error });
      }
      expect(witness.overlaps(), `after round ${played.length} (${kind})`).toEqual([]);
    }
    await Promise.all(seats.map(({ candidate }) => candidate.stop()));

    expect(witness.overlaps()).toEqual([]);
    expect(staleWrites(register.accepted)).toEqual([]);
    expect(witness.reigns.length).toBeGreaterThan(played.filter(({ failoverMs }) => failoverMs !== undefined).length);
    expect(register.accepted.length).toBeGreaterThan(rounds * 10);
    if (REPORT !== undefined) {
      const writes = { accepted: register.accepted.length, refused: register.refused.length };
      writeFileSync(REPORT, JSON.stringify({ seed, rounds: played, overlaps: witness.overlaps().length, writes }));
    }
  },
  (rounds + 1) * roundMs,
);

it('a candidate whose clock is slow is caught by the witness, and its writes by the register', async () => {
  const stage = await Stage.set({ leaseMs: 2_000, clockRates: [0.3, 1] });
  const [slow, sound] = stage.seats;
  await slow!.fill();
  await stage.heard('The slow one', ({ last }) => last);
  await sound!.fill();
  slow!.link.partition();
  const overlap = await stage.heard('An overlap', (witness) => witness.overlaps()[0]);
  expect(overlap).toMatchObject({ older: { process: slow!.process }, newer: { process: sound!.process } });
  expect(await stage.heard('A refusal', () => stage.register.refused[0])).toBe(overlap.older.token);
  expect(staleWrites(stage.register.accepted)).toEqual([]);
}, 60_000);
