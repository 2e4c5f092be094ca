import type { LeaseError } from '../lease/errors.js';
import type { Pending } from './pending.js';

/**
 * Commands that are about to be answered without a commit, which another server may know better. They wait until this server has caught
 * up, and are decided again then.
 */
export class UncertainCommands {
  readonly #catchUp: () => Promise<void>;
  readonly #all = new Set<Pending>();

  /** @param catchUp see `LeaseCoordinator.catchUp`. */
  constructor(catchUp: () => Promise<void>) {
    this.#catchUp = catchUp;
  }

  get count(): number {
    return this.#all.size;
  }

  /** Resolves once the command can be decided again: to `false` if it has been refused or taken meanwhile. */
  async wait(pending: Pending): Promise<boolean> {
    this.#all.add(pending);
    try {
      await this.#catchUp();
    } catch (error) {
      pending.reject(error as LeaseError);
      this.#all.delete(pending);
      return false;
    }
    pending.caughtUp = true;
    return this.#all.delete(pending);
  }

  /** Takes everything that waits. */
  takeAll(): Pending[] {
    const all = [...this.#all];
    this.#all.clear();
    return all;
  }
}
