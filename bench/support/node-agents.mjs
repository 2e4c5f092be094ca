// One process of agents that keep nodes alive, told what to do by the benchmark: `begin`, which is answered once all nodes are held, and
// `read`, which is answered with the memory in use. What goes wrong is said on its output.
import { createClient } from '@leasehold/sdk';

const { address, agents, nodes, first } = JSON.parse(process.argv[2]);

/** Machines start one after the other: with ten such processes, 50 that connect at once are what the two cores bear. */
const startingMax = 5;

process.on('message', async (question) => {
  process.send(question === 'begin' ? await begin() : memory());
});
process.on('disconnect', () => process.exit());

/** Starts all agents; returns how long that took, in milliseconds. */
async function begin() {
  const begun = performance.now();
  let started = 0;
  const startSome = async () => {
    while (started < agents) await startAgent(first + started++ * nodes);
  };
  await Promise.all(Array.from({ length: startingMax }, startSome));
  return performance.now() - begun;
}

/** An agent with a client, and so with connections, of its own. */
async function startAgent(from) {
  const agent = createClient({ endpoints: [address] }).heartbeatNodes({
    nodes: Array.from({ length: nodes }, (_, index) => `node-${from + index}`),
    onLost: complain,
    onError: complain,
  });
  await agent.ready({ timeoutMs: 300_000 });
}

function complain(node, error) {
  console.log(`${node}: ${error.message}`);
}

function memory() {
  // Twice: what the first collection freed may have held something else.
  globalThis.gc();
  globalThis.gc();
  const { rss, heapUsed, external } = process.memoryUsage();
  return { rss, used: heapUsed + external };
}
