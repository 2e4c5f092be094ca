import fc from 'fast-check';
import type { CandidatePlan } from './candidate.js';
import type { Weather } from './rough-network.js';
import type { Plan, Step } from './simulation.js';

/** Short ones more often: they take less of the machine's time. */
const baseMs = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(1_000, 1_500, 2_000, 3_000) },
  { weight: 1, arbitrary: fc.constantFrom(5_000, 15_000) },
);

/**
 * Everything that a run is made of. Times are chosen as parts of one lease duration: what matters is how they compare, and of
 * seconds that are chosen one by one few come close to each other.
 */
export const plans: fc.Arbitrary<Plan> = baseMs.chain((oneMs) => {
  const part = (...parts: readonly number[]): fc.Arbitrary<number> => fc.constantFrom(...parts.map((share) => share * oneMs));
  const weather = weathers(part(0.3, 0.05, 0.6, 1.5, 4));
  return fc.record({
    seed: fc.integer(),
    serverRate: rate,
    candidates: fc.array(candidates(part, weather), { minLength: 2, maxLength: 5 }),
    steps: fc.array(steps(part, weather), { minLength: 3, maxLength: 30, size: 'max' }),
  });
});

type Part = (...parts: readonly number[]) => fc.Arbitrary<number>;

const rate = fc.constantFrom(1, 0.99, 0.995, 1.005, 1.01);

function candidates(part: Part, weather: fc.Arbitrary<Weather>): fc.Arbitrary<CandidatePlan> {
  return fc.record({
    rate,
    offsetMs: fc.constantFrom(0, 250, -3_600_000, 3_600_000),
    leaseDurationMs: part(1, 1, 1.5, 3).map((ms) => Math.min(ms, 15_000)),
    weather,
    renewShare: fc.constantFrom(0.979, 0.979, 0.979, 2 / 3, 0.4),
    retryShare: fc.constantFrom(0.2, 0.1, 0.5, 0.8),
    timeoutMs: part(1, 0.2, 0.2, 0.4, 3),
    stopShare: fc.constantFrom(0, 0.01, 0.2, 1.5),
  });
}

function weathers(slowMsMax: fc.Arbitrary<number>): fc.Arbitrary<Weather> {
  return fc.record({
    loss: fc.constantFrom(0, 0.01, 0.05, 0.2),
    doubling: fc.constantFrom(0, 0.05, 0.3),
    slow: fc.constantFrom(0, 0.3, 0.6, 1),
    slowMsMax,
  });
}

function steps(part: Part, weather: fc.Arbitrary<Weather>): fc.Arbitrary<Step> {
  // Whoever leads has most to lose.
  const who = fc.oneof({ weight: 2, arbitrary: fc.nat({ max: 4 }) }, { weight: 3, arbitrary: fc.constant('leader' as const) });
  const forMs = part(0, 0.05, 0.3, 0.5, 0.7, 0.95, 1.5, 5);
  const thenMs = part(0, 0.1, 0.3, 0.6, 1.1, 2.5);
  const byMs = fc.constantFrom(2_000, -3_600_000, 3_600_000);
  const graceMs = part(0, 0.3, 2);
  const looksFirst = fc.boolean();
  return fc.oneof(
    { weight: 1, arbitrary: fc.record({ do: fc.constant('nothing'), thenMs } as const) },
    { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('crash', 'redeploy', 'pauseServer'), forMs, thenMs } as const) },
    { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('kill', 'stop'), who, forMs, thenMs } as const) },
    { weight: 4, arbitrary: fc.record({ do: fc.constant('partition'), who, forMs, thenMs } as const) },
    { weight: 4, arbitrary: fc.record({ do: fc.constantFrom('pause', 'suspend'), who, forMs, looksFirst, thenMs } as const) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('cut'), who, thenMs } as const) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('jump'), who, byMs, thenMs } as const) },
    { weight: 3, arbitrary: fc.record({ do: fc.constant('weather'), who, weather, thenMs } as const) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('revoke'), graceMs, thenMs } as const) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('delete'), thenMs } as const) },
  );
}
