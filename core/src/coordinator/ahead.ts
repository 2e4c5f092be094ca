import type { Clock } from '../clock.js';
import { LeaseError } from '../lease/errors.js';

/** How long somebody waits for a revision ahead of this server. */
const catchUpMs = 3000;

/** What becomes of a wait for a revision. */
export interface AheadOutcome {
  reached(): void;
  /** It did not come in time, or nothing will come any more. */
  refused(error: LeaseError): void;
}

/** Those who have seen a revision elsewhere that this server has not come to yet: they are kept waiting for a moment, not for ever. */
export class Ahead {
  readonly #clock: Clock;
  readonly #waits = new Set<AheadWait>();
  #revision: bigint;

  /** `revision`: the last one that this server has come to. */
  constructor(clock: Clock, revision: bigint) {
    this.#clock = clock;
    this.#revision = revision;
  }

  /** Waits for a revision. Returns what calls it off. */
  wait(revision: bigint, outcome: AheadOutcome): () => void {
    const cancelTimer = this.#clock.after(catchUpMs, () => {
      this.#waits.delete(wait);
      const message = `Revision ${revision} is in the future, this server is at ${this.#revision}`;
      outcome.refused(new LeaseError('REVISION_IN_FUTURE', message, { oldestRevision: this.#revision }));
    });
    const cancel = (): void => {
      cancelTimer();
      this.#waits.delete(wait);
    };
    const wait: AheadWait = { revision, outcome, cancel };
    this.#waits.add(wait);
    return cancel;
  }

  /** This server has come to a revision. */
  reach(revision: bigint): void {
    this.#revision = revision;
    this.#waits.forEach((wait) => {
      if (wait.revision <= revision) {
        wait.cancel();
        wait.outcome.reached();
      }
    });
  }

  close(error: LeaseError): void {
    this.#waits.forEach((wait) => {
      wait.cancel();
      wait.outcome.refused(error);
    });
  }
}

interface AheadWait {
  readonly revision: bigint;
  readonly outcome: AheadOutcome;
  readonly cancel: () => void;
}
