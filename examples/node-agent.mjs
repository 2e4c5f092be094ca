// Keeps nodes alive, and watches them go. Against a server: LEASEHOLD_ENDPOINT, by default 127.0.0.1:7400.
//
//   node examples/node-agent.mjs agent node-1 node-2    keeps nodes alive until Ctrl-C, which gives their leases back
//   node examples/node-agent.mjs monitor                says what becomes of all nodes; kill -9 an agent, and wait 50 s
import { once } from 'node:events';
import { hostname } from 'node:os';
import { createClient, nodeLeaseName } from '@leasehold/sdk';

const [role = 'agent', ...nodes] = process.argv.slice(2);
const stop = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => stop.abort());

const client = createClient({ endpoints: (process.env.LEASEHOLD_ENDPOINT ?? '127.0.0.1:7400').split(',') });
await (role === 'monitor' ? monitor() : keepAlive(nodes.length > 0 ? nodes : [nodeLeaseName(hostname())]));
await client.close();

/** One lease for each node, 40 s long and renewed each 10 s: the kubelet's values. */
async function keepAlive(names) {
  const agent = client.heartbeatNodes({ nodes: names, onLost: (node, error) => console.log(`${node}: ${error.message}`) });
  await agent.ready();
  console.log(`${names.join(' and ')} kept alive`);
  await once(stop.signal, 'abort');
  await agent.stop();
  console.log(`${names.join(' and ')} given back`);
}

async function monitor() {
  try {
    for await (const node of client.monitorNodes({ signal: stop.signal })) {
      console.log(`${node.name} is ${node.condition} (${node.reason})`);
      // Evict a node only when it is Unknown. Many that go at once are Suspect: it is likely to be the network.
    }
  } catch (error) {
    if (!stop.signal.aborted) throw error;
  }
}
