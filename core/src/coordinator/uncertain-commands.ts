import type { LeaseError } from '../lease/errors.js';
import type { Pending } from './pending.js';

/**
 * Commands that are about to be answered without a commit, which another server may know better. They wait until this server has caught
 * up, and are decided again then: all that were decided in one turn together, because there may be very many.
 */
export class UncertainCommands {
  readonly #catchUp: () => Promise<void>;
  readonly #goOn: (commands: readonly Pending[]) => void;
  #count = 0;
  #gathered: Pending[] = [];
  readonly #waiting = new Set<readonly Pending[]>();

  /**
   * @param catchUp see `LeaseCoordinator.catchUp`.
   * @param goOn takes those that can be decided again: none, where all of them have been refused.
   */
  constructor(catchUp: () => Promise<void>, goOn: (commands: readonly Pending[]) => void) {
    this.#catchUp = catchUp;
    this.#goOn = goOn;
  }

  get count(): number {
    return this.#count;
  }

  add(pending: Pending): void {
    this.#gathered.push(pending);
    this.#count += 1;
  }

  /** Catches up for those that have come since. */
  async wait(): Promise<void> {
    const commands = this.#gathered;
    if (commands.length === 0) return;
    this.#gathered = [];
    this.#waiting.add(commands);
    let failure: LeaseError | undefined;
    try {
      await this.#catchUp();
    } catch (error) {
      failure = error as LeaseError;
    }
    // Unless they were taken meanwhile.
    if (!this.#waiting.delete(commands)) return;
    this.#count -= commands.length;
    for (const pending of commands) {
      if (failure === undefined) pending.caughtUp = true;
      else pending.reject(failure);
    }
    this.#goOn(failure === undefined ? commands : []);
  }

  /** Takes everything that waits. */
  takeAll(): Pending[] {
    const all = [...[...this.#waiting].flat(), ...this.#gathered.splice(0)];
    this.#waiting.clear();
    this.#count = 0;
    return all;
  }
}
