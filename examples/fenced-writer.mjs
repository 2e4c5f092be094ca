// Why a leader sends its fencing token along: one is stopped right between its look at the lease and its write. When it goes on,
// somebody else leads, and the store refuses the write, for it has seen a higher token.
//
//   node examples/fenced-writer.mjs        (it starts a server and two writers by itself)
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { createClient } from '@leasehold/sdk';
import { defaultOptions, startServer } from '@leasehold/server';

const [name, endpoint] = process.argv.slice(2);

/** What is written to. It remembers the highest token that it has seen, and refuses a write with a lower one. */
class Store {
  #highest = 0n;

  write({ token, value }) {
    const refused = token < this.#highest;
    if (!refused) this.#highest = token;
    console.log(`"${value}" with fencing token ${token}: ${refused ? `refused, ${this.#highest} was here` : 'written'}`);
  }
}

/** A writer, in a process of its own: it writes for as long as it leads. */
async function write() {
  const client = createClient({ endpoints: [endpoint], holder: name });
  const stop = new AbortController();
  process.once('disconnect', () => stop.abort());
  const work = async (term) => {
    for (let count = 1; !term.signal.aborted; count += 1) {
      term.assertHeld();
      // The worst moment: it has just seen that it leads. A machine can pause a process at any moment, and so can a garbage collector.
      if (name === 'alice' && count === 3) process.kill(process.pid, 'SIGSTOP');
      process.send({ token: term.fencingToken, value: `${name} ${count}` });
      await sleep(200, undefined, { signal: term.signal }).catch(() => undefined);
    }
  };
  await client.elect('fenced-writer', { leaseDurationMs: 2_000 }, work, { signal: stop.signal });
  await client.close();
}

/** Two writers and one store. */
async function demonstrate() {
  const listen = { host: '127.0.0.1', port: 0 };
  const options = { ...defaultOptions(), listen, httpListen: undefined, store: { kind: 'memory' } };
  const server = await startServer(options);
  const store = new Store();
  const start = (writer) => {
    const child = fork(fileURLToPath(import.meta.url), [writer, server.address], { serialization: 'advanced' });
    child.on('exit', (code) => {
      if (code !== 0) process.exit(1); // It has said why.
    });
    return child.on('message', (message) => store.write(message));
  };

  const alice = start('alice');
  await once(alice, 'message');
  const bob = start('bob');
  await once(bob, 'message');
  console.log('alice was stopped, her lease ran out, and bob leads; now alice goes on where she was');
  alice.kill('SIGCONT');
  await once(alice, 'message');

  for (const child of [alice, bob]) {
    child.disconnect();
    await once(child, 'exit');
  }
  await server.drain();
}

await (name === undefined ? demonstrate() : write());
