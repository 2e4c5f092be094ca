import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { beforeAll, describe, test } from 'vitest';
import { patience } from './client-program.js';
import { buildPatience, buildPrograms, combinations, programOf, why } from './go-programs.js';
import { World } from './world.js';

describe.skipIf(why !== '')(`clients of client-go use every verb${why}`, () => {
  beforeAll(buildPrograms, buildPatience);

  // With protobuf as in clusters: over TLS and with a token.
  test.concurrent.for(combinations)(
    'version $version, $bodies',
    { timeout: 4 * patience },
    async ({ version, bodies }, context) => {
      const { expect, onTestFinished } = context;
      const world = await World.start({ store: 'memory:', tls: bodies === 'protobuf' });
      onTestFinished(() => world.stop());
      const result = await goTests(programOf(version, 'crud'), world.home.environment({ BODIES: bodies }));
      expect(result.failures).toEqual([]);
      expect(result.passed.length).toBeGreaterThan(20);
    },
  );
});

/** Runs a binary of Go tests: the names of those that passed, and what is said of those that did not. */
async function goTests(path: string, env: Record<string, string>): Promise<{ passed: string[]; failures: string[] }> {
  const run = promisify(execFile)(path, ['-test.v', '-test.parallel=4'], { env, timeout: 3 * patience, maxBuffer: 1e8 });
  const output = await run.then(
    ({ stdout }) => stdout,
    (error: unknown) => {
      const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string };
      return `${stdout}\n${stderr}\n--- FAIL: the run: ${String(error).slice(0, 200)}`;
    },
  );
  const passed = [...output.matchAll(/^--- PASS: (\w+)/gm)].map(([, name]) => name ?? '');
  const failures = output.split(/^(?==== |--- )/m).filter((part) => /^--- FAIL|_test\.go:|panic/m.test(part));
  return { passed, failures };
}
