// Puts a server of the Kubernetes API under load with client-go, and watches who is busy meanwhile.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { goProgram } from './go.mjs';
import { processorTime, run } from './process.mjs';

const source = fileURLToPath(new URL('../kubernetes', import.meta.url));

/**
 * @param {object} target `server`, `ca`, `token` and the `pids` of the server
 * @param {object} config as in bench/kubernetes/main.go
 * @returns the program's result, with `rate` a second, `busy`, the share of a core that the server used, and `rss`, its memory in bytes
 */
export async function kubernetesLoad({ server, ca, token = '', pids }, config) {
  const program = await goProgram(source, 'kubernetes');
  const used = () => pids.reduce((all, pid) => all + processorTime(pid).all, 0);
  const [before, begin] = [used(), performance.now()];
  const result = JSON.parse(await run(program, [], { input: JSON.stringify({ server, ca, token, ...config }) }));
  const busy = ((used() - before) * 1000) / (performance.now() - begin);
  return { ...result, rate: result.answered / result.seconds, busy, rss: pids.reduce((all, pid) => all + residentOf(pid), 0) };
}

function residentOf(pid) {
  return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) * 1024;
}
