// A leader election written for client-go, line by line in this SDK. The comments name what each line was in Go.
//
//   POD_NAME=pod-1 node examples/from-client-go.mjs        (against a server: LEASEHOLD_ENDPOINT, by default 127.0.0.1:7400)
import { setTimeout as sleep } from 'node:timers/promises';
import { createClient, LeaderElector } from '@leasehold/sdk';

const client = createClient({
  endpoints: (process.env.LEASEHOLD_ENDPOINT ?? '127.0.0.1:7400').split(','), // rest.InClusterConfig()
  holder: process.env.POD_NAME, // resourcelock.ResourceLockConfig{Identity}; left out: host name and a random UUID
});

const elector = new LeaderElector(client, {
  name: 'example-lease', // resourcelock.LeaseLock{LeaseMeta}
  namespace: 'default',
  leaseDurationMs: 15_000, // LeaseDuration: 15 * time.Second
  renewDeadlineMs: 10_000, // RenewDeadline: 10 * time.Second
  retryPeriodMs: 2_000, // RetryPeriod: 2 * time.Second
  releaseOnCancel: true, // ReleaseOnCancel: true
});

const stop = new AbortController(); // ctx, cancel := context.WithCancel(context.Background())
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => stop.abort());

// Unlike RunOrDie this campaigns again after a loss: the process need not exit to get another chance.
await elector.run(
  {
    // OnStartedLeading: func(ctx context.Context)
    async onStartedLeading(term) {
      console.log('I am the leader, performing the task...');
      await executeTask(term);
    },
    // OnStoppedLeading: func(); after the task has returned, and only if this process has led
    onStoppedLeading() {
      console.log('I am not the leader anymore');
    },
    // OnNewLeader: func(identity string)
    onNewLeader(lease) {
      console.log(`The leader is ${lease.holder}`);
    },
  },
  { signal: stop.signal },
);
await client.close();

/** Only the leader executes this. What it returns is awaited before the lease is given back. */
async function executeTask(term) {
  while (!term.signal.aborted) {
    term.assertHeld();
    console.log(`Leader executing task with fencing token ${term.fencingToken}...`);
    await sleep(2_000, undefined, { signal: term.signal }).catch(() => undefined);
  }
  console.log('Term over, stopping task...');
}
