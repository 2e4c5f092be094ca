/**
 * Runs something under a signal that aborts with the first of several, and lets go of them when it is done. `AbortSignal.any` leaves
 * something behind on each, for as long as that lives; those of a process live as long as it does.
 */
export async function underSignals<T>(
  signals: readonly (AbortSignal | undefined)[],
  run: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = new AbortController();
  const listened = signals.filter((signal) => signal !== undefined);
  const onAbort = ({ target }: Event): void => {
    controller.abort((target as AbortSignal).reason);
  };
  const aborted = listened.find((signal) => signal.aborted);
  if (aborted !== undefined) controller.abort(aborted.reason);
  for (const signal of listened) signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await run(controller.signal);
  } finally {
    for (const signal of listened) signal.removeEventListener('abort', onAbort);
  }
}
