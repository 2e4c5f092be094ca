import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const main = fileURLToPath(new URL('../../cli/dist/main.js', import.meta.url));

/** A server as its users run it: a process of its own, here in memory and on a free port. */
export interface ServerProcess {
  readonly address: string;
  stop(): Promise<void>;
}

export async function startServerProcess(): Promise<ServerProcess> {
  const child = spawn(process.execPath, [main, 'serve', '--store', 'memory:', '--listen', '127.0.0.1:0'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  // The loop is left once it serves, but what it logs is read to the end, lest it stops at a full pipe.
  const address = await new Promise<string>((resolve, reject) => {
    createInterface(child.stdout).on('line', (line) => {
      const entry = JSON.parse(line) as { msg: string; address?: string };
      if (entry.msg === 'Serving' && entry.address !== undefined) {
        resolve(entry.address);
      }
    });
    void exited.then(() => {
      reject(new Error('The server ended before it served'));
    });
  });
  return {
    address,
    stop: async () => {
      child.kill('SIGTERM');
      await exited;
    },
  };
}
