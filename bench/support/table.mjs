// The words of the results.
import { execFileSync } from 'node:child_process';
import { cpus, release, totalmem } from 'node:os';

export const perSecond = (rate) => `${Math.round(rate).toLocaleString('en-US')}/s`;
export const ms = (value) => `${value < 10 ? value.toFixed(1) : Math.round(value)} ms`;
export const times = (ratio) => `${ratio.toFixed(2)} ×`;

/** Who was busy during a load: in shares of one core. The one near 1.00 is the bottleneck; a Node server has one main thread. */
export function busy({ main, server, generator }) {
  return `server ${server.toFixed(2)} (main thread ${main.toFixed(2)}), generator ${generator.toFixed(2)}`;
}

/** The results as a page of Markdown. */
export function page(rows, { command, rounds, seconds, loadBefore }) {
  const head = ['What', 'Leasehold', 'Beside it', 'Ratio', 'To reach', 'Durability', 'Notes'];
  const cells = rows.map((row) => [
    row.what,
    row.ours,
    row.peer ?? '',
    row.ratio ?? '',
    row.target ?? '',
    row.durability,
    row.notes ?? '',
  ]);
  const lines = [head, head.map(() => '---'), ...cells].map((line) => `| ${line.join(' | ')} |`);
  return [
    '# Measured',
    '',
    `Written by \`${command}\`. ${conditions()} The load average was`,
    `${loadBefore.toFixed(2)} before it began: other programs take their share. Servers and load generator share the machine. Where two things are compared they ran by`,
    `turns, ${rounds} rounds of ${seconds} s each after warming up; the medians are shown. "Busy" is in shares of one core: the part near 1.00`,
    'is the bottleneck.',
    '',
    ...lines,
    '',
  ].join('\n');
}

function conditions() {
  const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim();
  const [{ model }] = cpus();
  const memory = Math.round(totalmem() / 2 ** 30);
  const date = new Date().toISOString().slice(0, 10);
  return `${date}, commit ${commit}: ${cpus().length} cores (${model.trim()}), ${memory} GiB, Linux ${release()}, Node ${process.version}.`;
}
