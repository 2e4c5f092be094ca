import { type Clock, within } from '../clock.js';
import { isOver, LeaseholdError, LeaseSuspectError } from '../errors.js';
import type { HeldLease } from './held-lease.js';

/** How work under a lease came to its end. */
export type WorkEnd<T> =
  | { readonly kind: 'returned'; readonly value: T }
  | { readonly kind: 'threw'; readonly error: unknown }
  /** It did not stop in the time that was left. `late`: its end, whenever it comes. */
  | { readonly kind: 'overran'; readonly late: Promise<WorkEnd<T>> };

/**
 * Runs work under a lease, and waits for its end: for as long as the lease's signal lets it run, and after that for as long as the
 * server gives the lease to nobody else.
 *
 * @param stop also aborts the lease's signal, while the lease stays held until the work has stopped.
 */
export async function supervise<T>(
  clock: Clock,
  lease: HeldLease,
  stop: AbortSignal,
  work: () => Promise<T>,
): Promise<WorkEnd<T>> {
  const onStop = (): void => {
    lease.stopWork(stop.reason);
  };
  if (stop.aborted) onStop();
  else stop.addEventListener('abort', onStop, { once: true });
  const end = endOf(work);
  try {
    await Promise.race([end, aborted(lease.signal, end)]);
    if (!lease.signal.aborted) return await end;
    const limit = { timeoutMs: lease.stopWithinMs, onTimeout: () => overrun(lease) };
    return await within(clock, end, limit).catch((): WorkEnd<T> => ({ kind: 'overran', late: end }));
  } finally {
    stop.removeEventListener('abort', onStop);
  }
}

/** Whether an error is only the way in which work has obeyed the signal. */
export function isObedience(error: unknown, signal: AbortSignal): boolean {
  if (!signal.aborted || !(error instanceof Error)) return false;
  if (error === signal.reason || error.cause === signal.reason || error.name === 'AbortError') return true;
  return isOver(error) || error instanceof LeaseSuspectError;
}

/** Work that still runs although it was told to stop and its time is over. */
export function overrun(lease: HeldLease): LeaseholdError {
  const message = `Lease ${lease.namespace}/${lease.name}: the work did not stop within the time that was left`;
  return new LeaseholdError({ code: 'ABORTED', reason: 'WORK_OVERRAN', message }, { cause: lease.signal.reason });
}

/** Resolves with nothing once the signal is aborted. Listens no longer than until `end`. */
function aborted(signal: AbortSignal, end: Promise<unknown>): Promise<undefined> {
  return new Promise((resolve) => {
    const onAbort = (): void => {
      resolve(undefined);
    };
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
    void end.then(() => {
      signal.removeEventListener('abort', onAbort);
    });
  });
}

async function endOf<T>(work: () => Promise<T>): Promise<WorkEnd<T>> {
  try {
    return { kind: 'returned', value: await work() };
  } catch (error) {
    return { kind: 'threw', error };
  }
}
