// The benchmark: `npm run bench`, or `npm run bench -- --help`.
import { writeFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { page } from './support/table.mjs';

/** Files in bench/measures, in the order of the results. */
const measures = [
  'renew',
  'etcd-put',
  'heartbeat',
  'heartbeat-echo',
  'cycles',
  'hand-over',
  'kubernetes',
  'election-failover',
  'expiry',
  'memory',
  'node-agents',
  'replicas',
  'etcd-nodes',
  'start',
];

const usage = `Measures Leasehold, and its peers beside it, and writes bench/RESULTS.md.

  --only NAMES     only these, by commas: ${measures.join(', ')}; then nothing is written
  --rounds N       how often what is compared is run, by turns (3)
  --seconds N      how long each run is counted (8)
  --leases N       leases for expiry and memory (100000)
  --on-disk N      leases on disk for the start (1000000)
  --elections N    rounds of faults in an election of 2 s (100); kills and releases at the defaults, each a tenth of that
  --nodes N        nodes that one agent keeps alive, and that cost etcd something, a thousand on a stream (10000)
  --agents N       agents that keep one node alive each (5000); they take 4 file descriptors each in all
  --node-seconds N how long what they cost is counted (60)
  --members N      members of the etcd that several servers share (1)
  --memory         Leasehold on its memory store, where nothing is durable; then nothing is written
  --quick          one round of 3 s, 10,000 leases, 100,000 on disk, 10 rounds of faults

Needs Go, for etcd and the load generator, and a machine that does nothing else.
`;

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    rounds: { type: 'string' },
    seconds: { type: 'string' },
    leases: { type: 'string' },
    'on-disk': { type: 'string' },
    elections: { type: 'string' },
    nodes: { type: 'string' },
    agents: { type: 'string' },
    'node-seconds': { type: 'string' },
    members: { type: 'string' },
    memory: { type: 'boolean', default: false },
    quick: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

if (values.help) {
  process.stdout.write(usage);
} else {
  await main();
}

async function main() {
  const { quick } = values;
  const number = (name, usual, short) => Number(values[name] ?? (quick ? short : usual));
  const context = {
    rounds: number('rounds', 3, 1),
    seconds: number('seconds', 8, 3),
    leases: number('leases', 100_000, 10_000),
    leasesOnDisk: number('on-disk', 1_000_000, 100_000),
    elections: number('elections', 100, 10),
    nodes: number('nodes', 10_000, 1000),
    agents: number('agents', 5000, 200),
    nodeSeconds: number('node-seconds', 60, 12),
    members: number('members', 1, 1),
    memory: values.memory,
    handOvers: quick ? 200 : 2000,
  };
  const names = values.only?.split(',') ?? measures;
  const loadBefore = loadavg()[0];
  const rows = [];
  for (const name of names) {
    if (!measures.includes(name)) throw new Error(`No measure ${JSON.stringify(name)}: ${measures.join(', ')}`);
    const { title, run } = await import(`./measures/${name}.mjs`);
    console.error(`Measuring: ${title}`);
    const measured = await run(context);
    for (const { what, ours, peer = '', ratio = '' } of measured) console.error(`  ${[what, ours, peer, ratio].join(' | ')}`);
    rows.push(...measured);
  }
  const command = `npm run bench${process.argv.length > 2 ? ` -- ${process.argv.slice(2).join(' ')}` : ''}`;
  const results = page(rows, { ...context, command, loadBefore });
  console.log(results);
  if (values.only === undefined && !values.memory) {
    writeFileSync(new URL('RESULTS.md', import.meta.url), results);
  }
}
