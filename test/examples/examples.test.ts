import { readdirSync } from 'node:fs';
import { beforeEach, describe, expect, it } from 'vitest';
import { ServerProcess } from '../support/server-process.js';
import { examplesFolder, Program } from './program.js';

interface Example {
  /** What it prints, in this order, perhaps with more between. */
  readonly says: readonly RegExp[];
  /** It runs on until Ctrl-C, and prints this then. Default: it ends by itself. */
  readonly thenOnCtrlC?: readonly RegExp[];
}

/** Every file of `examples/`, and what a reader sees who runs it against a fresh server. */
const examples: Readonly<Record<string, Example>> = {
  'election.mjs': { says: [/stands for election/, /leads with fencing token \d+/], thenOnCtrlC: [/stops leading/, /leaves/] },
  'failover-demo.mjs': { says: [/leads with fencing token/, /kill -9/, /took over/, /in order/, /took over/, /done/] },
  'fenced-writer.mjs': { says: [/"alice 1" .* written/, /"bob 1" .* written/, /"alice 3" .* refused/] },
  'from-client-go.mjs': { says: [/I am the leader/, /with fencing token \d+/], thenOnCtrlC: [/not the leader anymore/] },
  'node-agent.mjs': { says: [/kept alive/], thenOnCtrlC: [/given back/] },
  'hello-lease.mjs': { says: [/mine, with fencing token \d+/, /still mine/, /given back/] },
};

let server: ServerProcess;

beforeEach(async () => {
  server = await ServerProcess.start();
});

function start(file: string, ...args: string[]): Program {
  return Program.start(file, args, { LEASEHOLD_ENDPOINT: server.address });
}

describe('the example', () => {
  it.each(readdirSync(examplesFolder).filter((file) => file.endsWith('.mjs')))(
    '%s does what it says',
    { timeout: 60_000 },
    async (file) => {
      const example = examples[file];
      if (example === undefined) throw new Error(`This test has to know what ${file} prints`);
      const program = start(file);
      for (const line of example.says) await program.says(line);
      if (example.thenOnCtrlC !== undefined) {
        program.interrupt();
        for (const line of example.thenOnCtrlC) await program.says(line);
      }
      expect(await program.ended()).toBe(0);
    },
  );

  it('node-agent.mjs monitors what node-agent.mjs keeps alive', async () => {
    const agent = start('node-agent.mjs', 'agent', 'node-1');
    await agent.says(/node-1 kept alive/);
    const monitor = start('node-agent.mjs', 'monitor');
    await monitor.says(/node-1 is Ready \(Held\)/);
    monitor.interrupt();
    agent.interrupt();
    expect([await monitor.ended(), await agent.ended()]).toEqual([0, 0]);
  });

  it('election.mjs hands over from terminal to terminal', async () => {
    const alice = start('election.mjs', 'alice');
    await alice.says(/alice leads/);
    const bob = start('election.mjs', 'bob');
    await bob.says(/bob stands/);
    alice.interrupt();
    await bob.says(/bob leads/);
    bob.interrupt();
    expect([await alice.ended(), await bob.ended()]).toEqual([0, 0]);
  });
});
