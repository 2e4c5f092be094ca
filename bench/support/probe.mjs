// Loaded into a server before its program (`node --import`): tells the benchmark, over the channel between the processes, how late the
// event loop was and how much memory is in use. The server itself knows nothing of it. Node loads it into worker threads as well, where it
// has nothing to do.
import { isMainThread } from 'node:worker_threads';

const every = 5;
let lags = [];
let due = performance.now() + every;

function tick() {
  const now = performance.now();
  lags.push(Math.max(0, now - due));
  due = now + every;
  setTimeout(tick, every).unref();
}
if (isMainThread) {
  setTimeout(tick, every).unref();
  process.on('message', answer);
  process.channel.unref();
}

function answer(question) {
  if (question === 'reset') {
    lags = [];
    process.send('reset');
    return;
  }
  const sorted = lags.sort((a, b) => a - b);
  const at = (share) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
  // Twice: what the first collection freed may have held something else.
  globalThis.gc();
  globalThis.gc();
  const { rss, heapUsed, external } = process.memoryUsage();
  process.send({ lag: { p50: at(0.5), p99: at(0.99), max: at(1) }, memory: { rss, used: heapUsed + external } });
  due = performance.now() + every;
  lags = [];
}
