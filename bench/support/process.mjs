// Child processes of a benchmark: started, waited for, measured and ended.
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { once } from 'node:events';

/** Starts a program; its output is kept, to be shown when it fails. */
export function start(command, args, options = {}) {
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'], ...options });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk) => {
      output = (output + chunk).slice(-20_000);
    });
  }
  return {
    child,
    output: () => output,
    /** Ends it, and waits until it has ended. */
    async stop(signal = 'SIGTERM') {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const ended = once(child, 'exit');
      child.kill(signal);
      await ended;
    },
  };
}

/** Runs a program to its end and returns what it printed. */
export async function run(command, args, { input, ...options } = {}) {
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'], ...options });
  child.stdin.end(input);
  let output = '';
  child.stdout.on('data', (chunk) => {
    output += chunk;
  });
  const [code] = await once(child, 'close');
  if (code !== 0) throw new Error(`Run ${command}: exit code ${code}`);
  return output;
}

/** A port of the loopback interface that is free now. */
export async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

/** Processor time that a process has used so far, in seconds: all of it, and that of its main thread, which in Node is the event loop. */
export function processorTime(pid) {
  return { all: cpuSeconds(`/proc/${pid}/stat`), main: cpuSeconds(`/proc/${pid}/task/${pid}/stat`) };
}

/** The same of several processes together. */
export function processorTimeOf(processes) {
  const times = processes.map(({ pid }) => processorTime(pid));
  const sum = (part) => times.reduce((total, time) => total + time[part], 0);
  return { all: sum('all'), main: sum('main') };
}

/** Memory that a process has resident now, in bytes. */
export function residentBytes(pid) {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) * 1024;
}

function cpuSeconds(path) {
  // After the name in parentheses, the 12th and 13th fields are the time in user and system mode, in hundredths.
  const fields = readFileSync(path, 'utf8').split(') ').pop().split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}
