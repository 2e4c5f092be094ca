import { fileURLToPath } from 'node:url';
import { startVitest } from 'vitest/node';

// Runs the tests of a file whose full names match a pattern, with a mutated core and a mutated package in place of those that were built,
// and prints how each of them ended.
const [file, testNamePattern, core, name, mutated] = process.argv.slice(2);
const inPlaceOf = (find, from, path) => ({ find, replacement: fileURLToPath(new URL(`dist/${path}`, from)) });
const alias = [
  inPlaceOf(/^@leasehold\/core$/, core, 'index.js'),
  inPlaceOf(new RegExp(`^@leasehold/${name}$`), mutated, 'index.js'),
  inPlaceOf(new RegExp(`^@leasehold/${name}/testing$`), mutated, 'testing/index.js'),
  inPlaceOf(new RegExp(`^(\\.\\./)+${name}/dist/`), mutated, ''),
];
const options = {
  ...{ config: false, watch: false, reporters: [{}], testNamePattern, testTimeout: 30_000, hookTimeout: 60_000 },
  server: { deps: { external: [/\/dist\//] } },
};
const vitest = await startVitest('test', [file], options, { resolve: { alias } });
const modules = vitest.state.getTestModules();
const outcomes = modules.flatMap(({ children }) => [...children.allTests()].map((test) => test.result()));
const ran = outcomes.filter(({ state }) => state !== 'skipped');
process.stdout.write(
  JSON.stringify(
    ran.map(({ state, errors = [] }) => ({ state, errors: errors.map(({ name, message }) => ({ name, message })) })),
  ),
);
await vitest.close();
process.exit(0);
