// How long nobody leads after a fault, and whether ever two lead: the rounds that the tests play with real processes, and more of them.
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { percentile } from '../support/compare.mjs';
import { start } from '../support/process.mjs';
import { ms } from '../support/table.mjs';

export const title = 'Failover';

/** What others took at client-go's defaults, lease 15 s, renew deadline 10 s, retry period 2 s, which are ours as well. */
const clientGo = {
  kill: 'client-go, measured elsewhere: median 16.8 s, max 19.5 s',
  stop: 'client-go, measured elsewhere: median 0.7 s, max 2.5 s',
};

const faults = {
  kill: 'kill -9 of the leader',
  stop: 'SIGTERM to the leader, which releases',
  pause: 'SIGSTOP of the leader for longer than the lease',
  'kill server': 'kill -9 of the server and its restart',
  'stop server': 'SIGTERM to the server and its restart',
  cut: "a reset of the leader's connections",
  silence: "silence of the leader's link",
  deafen: "loss of all answers on the leader's link",
  'late grant': 'SIGTERM to the leader while no standby hears an answer',
  slow: "100 to 200 ms more each way on the leader's link",
};

export async function run({ elections }) {
  const usual = await play({ leaseMs: 15_000, rounds: 2 * Math.ceil(elections / 10), kinds: Object.keys(clientGo) });
  const short = await play({ leaseMs: 2000, rounds: elections, kinds: Object.keys(faults) });
  return [...rows(usual, clientGo), ...rows(short)];
}

/** Plays rounds, as a test that fails if ever two have led at once. */
async function play({ leaseMs, rounds, kinds }) {
  const folder = mkdtempSync(join(tmpdir(), 'leasehold-bench-'));
  try {
    const report = join(folder, 'report.json');
    const env = { ...process.env, LEASE_MS: leaseMs, ROUNDS: rounds, KINDS: kinds.join(','), REPORT: report };
    const command = ['--no', '--', 'vitest', 'run', 'test/e2e/elections/elections.test.ts', '-t', 'never two'];
    const test = start('npx', command, { env, cwd: fileURLToPath(new URL('../..', import.meta.url)) });
    const [code] = await once(test.child, 'close');
    if (code !== 0) throw new Error(`The rounds failed:\n${test.output()}`);
    return { leaseMs, kinds, ...JSON.parse(readFileSync(report, 'utf8')) };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function rows({ leaseMs, kinds, rounds, overlaps, writes }, peers = {}) {
  return kinds.map((kind) => {
    const played = rounds.filter((round) => round.kind === kind);
    const failovers = played.flatMap(({ failoverMs }) => failoverMs ?? []);
    const kept = played.length - failovers.length;
    return {
      what: `${title}, ${leaseMs / 1000} s lease: ${faults[kind]}, ${played.length} times`,
      ours: [...(kept > 0 ? [`the leader led on ${kept} times`] : []), ...(failovers.length > 0 ? [times(failovers)] : [])].join(
        '; ',
      ),
      peer: peers[kind],
      target: kind === 'kill' ? 'what is left of the lease, + ≤ 50 ms' : '',
      durability: 'synced to disk before the answer',
      notes: `to the next leader's first look at its lease; ${overlaps} overlaps in all ${rounds.length} rounds, ${writes.refused} stale writes refused`,
    };
  });
}

function times(latencies) {
  return `p50 ${ms(percentile(latencies, 0.5))}, p99 ${ms(percentile(latencies, 0.99))}, max ${ms(Math.max(...latencies))}`;
}
