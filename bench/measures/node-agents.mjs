// What keeping nodes alive costs client and server at the kubelet's pace, leases of 40 s renewed each 10 s: once by one agent with all
// nodes on one stream, once by many agents with one node, and connections, each.
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { withLeasehold } from '../support/leasehold.mjs';
import { processorTime, start } from '../support/process.mjs';
import { ms } from '../support/table.mjs';

export const title = 'Nodes kept alive';

const program = fileURLToPath(new URL('../support/node-agents.mjs', import.meta.url));

/** Each of them has two connections, and a process is often given no more than some thousand file descriptors. */
const agentsPerProcess = 500;

export async function run(context) {
  const { nodes, agents } = context;
  const count = (number) => number.toLocaleString('en-US');
  return [
    ...(await measure(context, `${count(nodes)} by one agent on one stream`, [{ agents: 1, nodes, first: 0 }])),
    ...(await measure(context, `${count(agents)} by an agent each`, shares(agents))),
  ];
}

/** Which agents run in which process. */
function shares(agents) {
  const shares = [];
  for (let first = 0; first < agents; first += agentsPerProcess) {
    shares.push({ agents: Math.min(agentsPerProcess, agents - first), nodes: 1, first });
  }
  return shares;
}

async function measure({ memory, nodeSeconds }, what, shares) {
  return withLeasehold({ memory }, async (server) => {
    const clients = shares.map((share) => startClient({ address: server.address, ...share }));
    try {
      const before = await memoryOf(server, clients);
      const rest = await processorsFor(Math.min(nodeSeconds, 10), server, clients);
      const started = await Promise.all(clients.map((client) => client.ask('begin')));
      // Past the first renewals, with which the start is behind.
      await sleep(Math.min(nodeSeconds, 15) * 1000);
      const busy = await processorsFor(nodeSeconds, server, clients);
      const after = await memoryOf(server, clients);
      const complaints = clients.map(({ output }) => output()).join('');
      if (complaints !== '') throw new Error(`Not all nodes stayed held:\n${complaints.slice(0, 2000)}`);
      const count = shares.reduce((sum, { agents, nodes }) => sum + agents * nodes, 0);
      return rows(what, { count, nodeSeconds, startedInMs: Math.max(...started), rest, busy, before, after });
    } finally {
      await Promise.all(clients.map((client) => client.stop('SIGKILL')));
    }
  });
}

function rows(what, { count, nodeSeconds, startedInMs, rest, busy, before, after }) {
  const seconds = (time) => `${time.toFixed(2)} s`;
  const memory = (end) => {
    const kilobytes = (part) => `${((after[end][part] - before[end][part]) / count / 1000).toFixed(1)} KB`;
    return `${kilobytes('used')} a node (resident: ${kilobytes('rss')}, ${Math.round(after[end].rss / 1e6)} MB in all)`;
  };
  return [
    {
      what: `${title}: ${what}: processor time in a minute`,
      ours: `server ${seconds(busy.server)} (main thread ${seconds(busy.main)}), clients ${seconds(busy.clients)}`,
      durability: 'beats answered from memory, each recorded within 10 s',
      notes: `counted for ${nodeSeconds} s; with no nodes: server ${seconds(rest.server)}, clients ${seconds(rest.clients)}`,
    },
    {
      what: `${title}: ${what}: memory`,
      ours: `server ${memory('server')}; clients ${memory('clients')}`,
      durability: 'SQLite',
      notes: 'after a garbage collection: the heap of the main thread and what it holds outside; resident also counts free pages',
    },
    {
      what: `${title}: ${what}: start`,
      ours: `all held after ${ms(startedInMs)}`,
      durability: 'each synced to disk before its answer',
    },
  ];
}

/** Processor time in a minute, measured for some seconds: the server's, that of its main thread, and of all clients together. */
async function processorsFor(seconds, server, clients) {
  const read = () => {
    const { all, main } = processorTime(server.pid);
    return { server: all, main, clients: sum(clients.map(({ pid }) => processorTime(pid).all)) };
  };
  const from = read();
  await sleep(seconds * 1000);
  const to = read();
  return Object.fromEntries(Object.entries(to).map(([part, time]) => [part, ((time - from[part]) * 60) / seconds]));
}

/** Memory in use now: the server's, and that of all clients together. */
async function memoryOf(server, clients) {
  const { memory } = await server.ask();
  const asked = await Promise.all(clients.map((client) => client.ask('read')));
  return { server: memory, clients: { rss: sum(asked.map(({ rss }) => rss)), used: sum(asked.map(({ used }) => used)) } };
}

function startClient(share) {
  const { child, output, stop } = start(process.execPath, ['--expose-gc', program, JSON.stringify(share)], {
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  return {
    pid: child.pid,
    output,
    stop,
    async ask(question) {
      child.send(question);
      const [answer] = await once(child, 'message');
      return answer;
    },
  };
}

function sum(numbers) {
  return numbers.reduce((total, number) => total + number, 0);
}
