// Holds a lease under a watchdog and does what it is told: `node watchdog-child.mjs ADDRESS ON_BLOCKED SCENARIO`.
// What it prints goes to the descriptor at once, whatever the loop does.
import { writeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { createClient } from '@leasehold/sdk';

const [address, onBlocked, scenario] = process.argv.slice(2);
const watchdog = { onBlocked, toleranceMs: Number(process.env.TOLERANCE_MS ?? 100) };
const client = createClient({ endpoints: [address], watchdog });
/** On a busy machine a lease of a second can be over before it has been heard of. */
const acquire = async (durationMs = 1000) => {
  for (;;) {
    try {
      return (await client.acquire('a', { durationMs })).granted;
    } catch (error) {
      if (error.reason !== 'LEASE_EXPIRED') throw error;
    }
  }
};
const say = (text) => writeSync(1, `${text}\n`);
const block = (ms) => {
  for (const until = performance.now() + ms; performance.now() < until;);
};

const scenarios = {
  async blocked() {
    await acquire();
    say('held');
    block(8000);
    say('went on');
  },
  async twice() {
    for (let round = 0; round < 2; round++) {
      const lease = await acquire();
      block(2000);
      say('went on');
      await sleep(100);
      say(lease.status);
    }
  },
  async busy() {
    const lease = await acquire(5000);
    for (let round = 0; round < 90; round++) {
      block(60);
      await sleep(10);
    }
    say(lease.status);
  },
  async 'not in danger'() {
    const lease = await acquire(20_000);
    await sleep(300);
    block(2000);
    say(lease.status);
  },
  async released() {
    const lease = await acquire();
    const released = lease.release();
    block(2500);
    await released;
    say('went on');
  },
  async 'second lease'() {
    await client.acquire('long', { durationMs: 60_000 });
    await sleep(500);
    await acquire();
    block(8000);
    say('went on');
  },
  async waited() {
    const other = createClient({ endpoints: [address] });
    const held = (await other.acquire('a')).granted;
    const waiting = client.acquire('a', { durationMs: 1000, waitMs: 10_000 });
    await sleep(200);
    await held.release();
    await waiting;
    await sleep(400);
    say('held');
    block(8000);
    say('went on');
  },
  async 'lost in time'() {
    // Nobody renews: the loop notices the end by itself.
    const lease = await acquire();
    say('held');
    lease.signal.addEventListener('abort', () => say('lost'));
    for (;;) await sleep(50);
  },
  async idle() {},
};

await scenarios[scenario]();
if (scenario !== 'idle') await client.close();
say('ended');
