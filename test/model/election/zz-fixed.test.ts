import { it } from 'vitest';
import { check } from './check.js';
import { plant } from './mutant.js';
it('x', async () => {
  const kit = await plant('fixed-' + process.env['TAG'], [{ package: 'sdk', file: 'lease/tenure-book.js', text: 'if (page.uses === 0)', becomes: 'if (false)' }]);
  const c0 = process.cpuUsage(); const t0 = performance.now();
  const { MODEL_RUNS: runs = '150', MODEL_SEED: seed, MODEL_PATH: path } = process.env;
  const r = await check(kit, { numRuns: Number(runs), ...(seed === undefined ? {} : { seed: Number(seed) }), ...(path === undefined ? {} : { path }) });
  const c = process.cpuUsage(c0);
  process.stdout.write(`${r.runs} runs ${r.terms} terms ${r.refusedWrites} refused cpu ${(c.user + c.system) / 1e3 / r.runs} ms/run wall ${(performance.now() - t0) / r.runs}\n`);
  if (r.failure) throw r.failure;
}, 3_600_000);
