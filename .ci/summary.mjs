// Prints the closing line of a run from vitest's JSON report: 'N passed, N failed, N skipped'. Fails when no test was run.
import { readFileSync } from 'node:fs';

const [path] = process.argv.slice(2);
const text = readFileSync(path, 'utf8');
if (text === '') {
  console.log('No tests were run');
  process.exit(1);
}
const report = JSON.parse(text);
const skipped = report.numPendingTests + report.numTodoTests;
// A file that does not load, or whose preparations fail, has failed although none of its tests has.
const broken = report.testResults.filter(
  (file) => file.status === 'failed' && !file.assertionResults.some((test) => test.status === 'failed'),
);
const failed = report.numFailedTests + broken.length;

console.log(`${report.numPassedTests} passed, ${failed} failed, ${skipped} skipped`);
if (failed > 0 || report.numPassedTests === 0) process.exitCode = 1;
