// A candidate that tells its parent what it believes: `candidate.mjs ENDPOINT LEASE LEASE_MS CLOCK_RATE`, with a channel to the parent.
import { setTimeout as sleep } from 'node:timers/promises';
import { createClient, systemClock } from '@leasehold/sdk';

const [endpoint, name, leaseMs, clockRate] = process.argv.slice(2);
const client = createClient({ endpoints: [endpoint], clock: clockRate === '1' ? systemClock : slowClock(Number(clockRate)) });
const stop = new AbortController();
process.once('SIGTERM', () => stop.abort());
// Nobody is left to tell it to.
process.once('disconnect', () => process.exit(1));
// It has to end by itself once it was told to stop.
process.channel.unref();

await client.ready({ timeoutMs: 20_000 });
process.send('ready');
await client.elect(name, { leaseDurationMs: Number(leaseMs) }, lead, { signal: stop.signal });
await client.close();

async function lead(term) {
  while (!term.signal.aborted) {
    const before = process.hrtime.bigint();
    if (holds(term)) {
      const after = process.hrtime.bigint();
      process.send({ kind: 'claim', token: term.fencingToken, before, after });
      // A leader that is stopped here writes when it is none any more: only the token can tell.
      await sleep(2);
      process.send({ kind: 'write', token: term.fencingToken });
    }
    await sleep(2);
  }
}

function holds(term) {
  try {
    term.assertHeld();
    return true;
  } catch {
    return false;
  }
}

/** A planted fault: clocks and timers that run at a fraction of the real pace. */
function slowClock(rate) {
  const startedAt = Object.fromEntries(['monotonicMs', 'bootMs', 'wallMs'].map((read) => [read, systemClock[read]()]));
  const slowed = (read) => () => startedAt[read] + (systemClock[read]() - startedAt[read]) * rate;
  return {
    monotonicMs: slowed('monotonicMs'),
    bootMs: slowed('bootMs'),
    wallMs: slowed('wallMs'),
    after: (delayMs, action) => systemClock.after(delayMs / rate, action),
    random: systemClock.random,
  };
}
