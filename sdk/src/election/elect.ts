import { randomUUID } from 'node:crypto';
import { type Clock, sleep } from '../clock.js';
import { isOver, LeaseholdError } from '../errors.js';
import type { HeldLease } from '../lease/held-lease.js';
import { aborted, isObedience, overrun, supervise, type WorkEnd } from '../lease/supervise.js';
import type { AcquirePlan, Tenures } from '../lease/tenures.js';
import { backoffMs } from '../retry.js';
import type { AcquireRequest } from '../transport/transport.js';
import type { ElectionTiming } from './timing.js';

/** Options of `Client.elect`. */
export interface ElectOptions extends Partial<ElectionTiming> {
  /** Namespace of the lease. Default: the client's. */
  readonly namespace?: string | undefined;
  /** Who campaigns: 1 to 512 bytes, unique per process. Default: the client's holder. */
  readonly holder?: string | undefined;
  /** Place in the queue of standbys: highest first, an int32. Default: 0. */
  readonly priority?: number | undefined;
  /** Labels of the lease from each win on. Default: those it has. */
  readonly labels?: Readonly<Record<string, string>> | undefined;
  /** Annotations of the lease from each win on, such as the leader's address. Default: those it has. */
  readonly annotations?: Readonly<Record<string, string>> | undefined;
  /** Hears of each failure that the campaign survives: no server answered, or a win came to nothing. For logs. */
  readonly onError?: ((error: Error) => void) | undefined;
}

/** A time of leading, from a win to a loss. */
export interface Term {
  /** The number that fences this term: send it along with every write. */
  readonly fencingToken: bigint;
  /** Aborts when the term is over or about to be: stop then, and return. */
  readonly signal: AbortSignal;
  /** The lease behind it. */
  readonly lease: HeldLease;
  /** Returns while this process leads, by a look at the clocks now; throws otherwise. Call it right before each side effect. */
  assertHeld(): void;
}

/** What an election needs. */
export interface Election {
  readonly clock: Clock;
  readonly tenures: Tenures;
  readonly timing: ElectionTiming;
  readonly request: Omit<AcquireRequest, 'acquireId' | 'waitMs' | 'durationMs'>;
  readonly timeoutMs: number;
  readonly onError: (error: Error) => void;
  /** Ends the election. */
  readonly stop: AbortSignal;
}

/** How long a standby stays in the server's queue before it asks anew. */
const campaignWaitMs = 3_600_000;

/**
 * Campaigns, leads, and campaigns again after a loss, until the work returns by itself or `stop` is aborted.
 *
 * On every way out of a term the order is the same: the signal aborts, the work is awaited within the time that is left, the lease is
 * released by its token. Only then is there another campaign, and never while the last work still runs.
 */
export async function runElection(election: Election, work: (term: Term) => Promise<void>): Promise<void> {
  const { stop } = election;
  while (!stop.aborted) {
    const lease = await campaign(election);
    if (lease === undefined) return;
    const end = await lead(election, lease, work);
    if (end.kind === 'done') return;
    if (end.kind === 'overran') await outlast(election, lease, end.late);
  }
}

/** Waits in the queue until the lease is won; `undefined` once the election is stopped. */
async function campaign({ tenures, clock, timing, request, timeoutMs, onError, stop }: Election): Promise<HeldLease | undefined> {
  // One id until the outcome is known, so that a win whose answer was lost is not in the way of the next attempt.
  let acquireId = randomUUID();
  for (let failures = 1; ; failures += 1) {
    const plan: AcquirePlan = {
      request: { ...request, acquireId, waitMs: campaignWaitMs, durationMs: timing.leaseDurationMs },
      beatIntervalMs: timing.retryPeriodMs,
      renewDeadlineMs: timing.renewDeadlineMs,
      repeats: true,
    };
    try {
      const { granted } = await tenures.acquire(plan, { timeoutMs, signal: stop });
      if (granted !== undefined) return granted;
      failures = 0; // It waited its hour in the queue.
    } catch (error) {
      if (stop.aborted) return undefined;
      if (!isSurvivable(error)) throw error;
      onError(error);
      if (isOver(error)) acquireId = randomUUID();
    }
    try {
      await sleep(clock, backoffMs(clock, failures), stop);
    } catch {
      return undefined;
    }
  }
}

/** How a term ended: its work was done, it was stopped, or the work did not stop in time. */
type TermEnd = { readonly kind: 'done' | 'stopped' } | Extract<WorkEnd<void>, { kind: 'overran' }>;

/** One term. Throws what the work threw, unless that was its way of stopping. */
async function lead({ clock, stop }: Election, lease: HeldLease, work: (term: Term) => Promise<void>): Promise<TermEnd> {
  const term: Term = {
    fencingToken: lease.fencingToken,
    signal: lease.signal,
    lease,
    assertHeld: () => {
      lease.assertHeld();
    },
  };
  const end = await supervise(clock, lease, stop, () => work(term));
  // Read before the release, which aborts the signal as well.
  const told = lease.signal.aborted;
  const obeyed = end.kind === 'threw' && isObedience(end.error, lease.signal);
  // Where no server can be told, the lease runs out by itself; the next campaign tries again before it asks.
  await lease.release().catch(() => undefined);
  if (end.kind === 'overran') return end;
  if (end.kind === 'threw' && !obeyed) throw end.error;
  return { kind: told ? 'stopped' : 'done' };
}

/** Waits for work that goes on after its term: two terms of one process must not overlap. */
async function outlast({ stop, onError }: Election, lease: HeldLease, late: Promise<WorkEnd<void>>): Promise<void> {
  if (stop.aborted) throw overrun(lease);
  onError(overrun(lease));
  const end = await Promise.race([late, aborted(stop, late)]);
  if (end === undefined) throw overrun(lease);
  if (end.kind === 'threw' && !isObedience(end.error, lease.signal)) throw end.error;
}

/** Whether to go on campaigning after a failure. */
function isSurvivable(error: unknown): error is LeaseholdError {
  return error instanceof LeaseholdError && (error.retryable || isOver(error) || error.code === 'RESOURCE_EXHAUSTED');
}
