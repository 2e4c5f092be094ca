import type { Clock } from '@leasehold/core';
import { sleep, within } from './clock.js';
import { draining, type Engine } from './engine.js';
import type { GrpcServer } from './grpc/server.js';
import type { Health } from './grpc/health.js';
import type { HttpServer } from './kubernetes/http/server.js';
import type { IdentityLease } from './identity-lease.js';

/** What is drained, and in what time. */
export interface DrainOptions {
  readonly engine: Engine;
  readonly grpc: GrpcServer;
  /** `undefined`: the Kubernetes API is not served. */
  readonly http: HttpServer | undefined;
  readonly health: Health;
  /** `undefined`: none is published. */
  readonly identity: IdentityLease | undefined;
  readonly clock: Clock;
  readonly timeoutMs: number;
}

/**
 * Ends a server in order:
 *
 * 1. The server's own lease is deleted, new calls are refused and health says "not serving".
 * 2. Heartbeat streams are told, and after a moment ended. The note of the time left comes after their last acknowledgement.
 * 3. The coordinator answers those who wait, ends the watches, commits what is queued, leaves the note and closes the store.
 * 4. The ports are closed; connections that clients keep open are cut.
 *
 * @throws the store failed or took too long. The ports are closed all the same.
 */
export async function drain({ engine, grpc, http, health, identity, clock, timeoutMs }: DrainOptions): Promise<void> {
  const deadlineMs = clock.monotonicMs() + timeoutMs;
  const leftMs = (): number => Math.max(0, deadlineMs - clock.monotonicMs());
  // Submitted while commands are still taken, and waited for below: a slow disk delays neither the refusals nor the streams.
  const withdrawn = identity?.withdraw();
  health.setServing(false);
  engine.refuse();
  if (grpc.heartbeatStreams > 0) {
    grpc.tellDraining();
    await sleep(clock, Math.min(noticeMs, timeoutMs / 10));
    grpc.finishHeartbeats(draining());
  }
  await within(clock, Math.min(withdrawalMs, timeoutMs / 10), Promise.resolve(withdrawn));
  try {
    const drained = await within(
      clock,
      leftMs(),
      engine.drain().then(() => 'drained' as const),
    );
    if (drained === undefined) {
      throw new Error(`Drain: the store took longer than ${timeoutMs} ms`);
    }
  } finally {
    const graceMs = Math.min(cutAfterMs, leftMs());
    await Promise.all([grpc.shutdown(graceMs), http?.shutdown(graceMs)]);
  }
}

/** How long heartbeat streams stay open once told, so that clients can attach elsewhere before theirs ends. */
const noticeMs = 100;

/** How long the deletion of the server's own lease is waited for; without it, that lease expires. */
const withdrawalMs = 500;

/** How long clients may take to close connections of their own accord. */
const cutAfterMs = 500;
