// Prints the closing line of the runs whose reports it is given (vitest's JSON): 'N passed, N failed, N skipped'. Fails when a run had no test.
import { readFileSync } from 'node:fs';

const counts = process.argv.slice(2).map((path) => {
  const text = readFileSync(path, 'utf8');
  if (text === '') return { passed: 0, failed: 0, skipped: 0 };
  const report = JSON.parse(text);
  // A file that does not load, or whose preparations fail, has failed although none of its tests has.
  const broken = report.testResults.filter(
    (file) => file.status === 'failed' && !file.assertionResults.some((test) => test.status === 'failed'),
  );
  return {
    passed: report.numPassedTests,
    failed: report.numFailedTests + broken.length,
    skipped: report.numPendingTests + report.numTodoTests,
  };
});
const sum = (name) => counts.reduce((total, count) => total + count[name], 0);

if (counts.some(({ passed, failed }) => passed + failed === 0)) console.log('A run had no tests');
console.log(`${sum('passed')} passed, ${sum('failed')} failed, ${sum('skipped')} skipped`);
if (sum('failed') > 0 || counts.some(({ passed }) => passed === 0)) process.exitCode = 1;
