// `npm run demo`: a server on a temporary file, three candidates, a leader that is killed and one that is stopped in order.
// Everything is a real process.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const timeLimitMs = 25_000;
const startedAt = performance.now();
const processes = new Map();
/** Lines that were printed by any process, and who waits for the next one. */
const lines = [];
let wake = () => {};

const directory = await mkdtemp(join(tmpdir(), 'leasehold-demo-'));
const overdue = setTimeout(() => finish(new Error(`the demo took longer than ${timeLimitMs / 1000} s`)), timeLimitMs);
overdue.unref();
process.once('SIGINT', () => finish(new Error('interrupted')));

try {
  await demonstrate();
  await finish();
} catch (error) {
  await finish(error);
}

async function demonstrate() {
  const address = await startServer();
  say(`a server listens on ${address}, its leases are in ${join(directory, 'leases.db')}`);

  for (const name of ['alice', 'bob', 'carol']) start(name, [path('election.mjs'), name], address);
  const first = await nextLeader(0n);
  await until(() => lines.filter(({ text }) => text.endsWith('stands for election')).length === 3);
  await sleep(700);

  say(`kill -9 ${first.name}; its lease has 3 s at most`);
  const killedAt = performance.now();
  processes.get(first.name).kill('SIGKILL');
  const second = await nextLeader(first.token);
  say(`${second.name} took over ${Math.round(second.at - killedAt)} ms after the kill`);
  say(`its fencing token is higher, so that a late write of ${first.name} can be refused: ${second.token} > ${first.token}`);

  await sleep(300);
  say(`stop ${second.name} in order`);
  const stoppedAt = performance.now();
  processes.get(second.name).kill('SIGTERM');
  const third = await nextLeader(second.token);
  say(
    `${third.name} took over ${Math.round(third.at - stoppedAt)} ms after the signal: a released lease goes to the next in the queue`,
  );
}

/** Starts a server on a free port and waits for the log line that tells it. */
async function startServer() {
  const store = `sqlite:${join(directory, 'leases.db')}`;
  start('server', [path('../cli/dist/main.js'), 'serve', '--listen', '127.0.0.1:0', '--http-listen', 'off', '--store', store]);
  const line = await until(() => lines.find(({ name, text }) => name === 'server' && text.includes('"address"')));
  return JSON.parse(line.text).address;
}

/** Waits for a candidate that leads with a token of its own. */
async function nextLeader(after) {
  const found = await until(() =>
    lines
      .flatMap(({ name, text, at }) => {
        const token = /leads with fencing token (\d+)$/.exec(text)?.[1];
        return token !== undefined && BigInt(token) > after ? [{ name, at, token: BigInt(token) }] : [];
      })
      .at(0),
  );
  return found;
}

/** Starts a process. The server takes no endpoint: that is for who dials one. */
function start(name, args, endpoint) {
  const env = { ...process.env, LEASEHOLD_ENDPOINT: endpoint };
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'], env });
  processes.set(name, child);
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on('line', (text) => {
      lines.push({ name, text, at: performance.now() });
      if (name !== 'server') say(text);
      wake();
    });
  }
  child.on('exit', () => wake());
}

/** Waits until the lines that were printed so far say what is looked for. */
async function until(look) {
  for (let found = look(); ; found = look()) {
    if (found) return found;
    const dead = [...processes].find(([, { exitCode }]) => exitCode !== null && exitCode !== 0);
    if (dead !== undefined) {
      const said = lines.filter(({ name }) => name === dead[0]).map(({ text }) => text);
      throw new Error(`${dead[0]} ended with code ${dead[1].exitCode}: ${said.join('\n')}`);
    }
    await new Promise((resolve) => (wake = resolve));
  }
}

/** Ends every process, the candidates before the server, removes the files and exits. */
async function finish(error) {
  const [server, ...candidates] = processes.values();
  for (const group of [candidates, server === undefined ? [] : [server]]) await Promise.all(group.map(end));
  await rm(directory, { recursive: true, force: true });
  if (error !== undefined) {
    console.error(`The demo failed: ${error.message}`);
    process.exit(1);
  }
  say('done');
  process.exit(0);
}

async function end(child) {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGTERM');
  const ended = once(child, 'exit');
  await Promise.race([ended, sleep(3_000)]);
  child.kill('SIGKILL');
  await ended;
}

function say(text) {
  console.log(`${((performance.now() - startedAt) / 1000).toFixed(2).padStart(6)} s  ${text}`);
}

function path(relative) {
  return fileURLToPath(new URL(relative, import.meta.url));
}
