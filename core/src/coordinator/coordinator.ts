import type { LeaseCoordinator } from './api.js';
import type { CoordinatorOptions } from './options.js';

/** Loads the store and starts a coordinator on it: every held lease counts in full from now. */
export function startCoordinator(options: CoordinatorOptions): Promise<LeaseCoordinator> {
  throw new Error(`to be written ${String(options.limits.waitersMax)}`);
}
