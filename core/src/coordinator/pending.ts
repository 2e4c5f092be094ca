import type { Caller } from './api.js';
import type { AcquireCommand, Answer, Command } from '../lease/commands.js';
import type { LeaseError } from '../lease/errors.js';
import type { Waiter } from './wait-queue.js';

/** A command on its way: decided when its turn comes, answered when what it follows from is committed. */
export interface Pending {
  readonly command: Command;
  readonly caller: Caller;
  /** Whether it was decided on everything that had been committed anywhere before it came: then it may be answered without a commit. */
  caughtUp?: boolean;
  resolve(answer: Answer): void;
  reject(error: LeaseError): void;
}

/** An Acquire that waits in a queue. */
export interface PendingWaiter extends Waiter {
  readonly pending: Pending & { readonly command: AcquireCommand };
  /** Whether its wait ran out while a grant was in flight. */
  timedOut: boolean;
  cancelTimer: () => void;
}

/** For commands of the server itself. */
export const nobody: Caller = { gone: false, onGone: () => undefined };

/** A command of the server itself, which has nobody to tell. */
export function ofServer(command: Command): Pending {
  return { command, caller: nobody, resolve: () => undefined, reject: () => undefined };
}
