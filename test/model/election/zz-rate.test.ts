import fc from 'fast-check';
import { it } from 'vitest';
import { plant } from './mutant.js';
import { plans } from './plans.js';
import { Simulation } from './simulation.js';
const f = {
  one: [{ package: 'sdk', file: 'lease/held-lease.js', text: 'this.#takeRenewal({ sentAt, durationMs }', becomes: 'this.#takeRenewal({ sentAt: instantOf(this.#keeper.clock), durationMs }' }],
  two: [
    { package: 'sdk', file: 'lease/held-lease.js', text: 'const now = this.#look();\n        if (this.#lost !== undefined)\n            return;\n        const belief', becomes: 'const now = instantOf(this.#keeper.clock);\n        const belief' },
    { package: 'sdk', file: 'lease/deadline.js', text: 'believed !== undefined && remainingMs(believed, now, limitMs) <= 0', becomes: 'false' }],
  three: [{ package: 'sdk', file: 'lease/tenures.js', text: 'this.#book.isOver(lease, fencingToken)', becomes: 'false' }],
  threeb: [{ package: 'sdk', file: 'lease/tenures.js', text: 'this.#book.isOver(lease, fencingToken)', becomes: 'false' },
           { package: 'sdk', file: 'lease/tenures.js', text: 'leftover !== undefined', becomes: 'false' }],
} as const;
it('x', async () => {
  const tag = process.env['TAG'] as keyof typeof f;
  const kit = await plant('rate-' + tag, f[tag]);
  const n = Number(process.env['N']);
  const found: Record<string, number> = {};
  const c0 = process.cpuUsage();
  for (const plan of fc.sample(plans, { numRuns: n, seed: Number(process.env['SEED'] ?? 1) })) {
    try { await Simulation.run(kit, plan); } catch (e) { const m = String(e).replace(/candidate-\d-\d+ ?(\(\d+\))?/g, 'X').slice(0, 90); found[m] = (found[m] ?? 0) + 1; }
  }
  const c = process.cpuUsage(c0);
  process.stdout.write(`RATE ${tag} ${JSON.stringify(found)} cpu ${((c.user + c.system) / 1e3 / n).toFixed(1)} ms/run\n`);
}, 3_600_000);
