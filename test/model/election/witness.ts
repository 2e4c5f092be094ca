import type { Term } from '@leasehold/sdk';
import type { FakeClock } from '@leasehold/sdk/testing';

/** A promise that was broken. */
export class Violation extends Error {
  override readonly name = 'Violation';
}

/** A term of one process, as the witness sees it. */
export interface WitnessedTerm {
  readonly holder: string;
  readonly clock: FakeClock;
  readonly term: Term;
  /** Whether its work has not returned. */
  working: boolean;
  /** Until when its own deadline let it believe when it was looked at last, on boot time. */
  believedUntilMs: number;
  /** By when its work had to have stopped when it was told to, on the monotonic clock. */
  stopByMs: number;
}

/**
 * Looks at every process at every instant where anything happens, from outside:
 *
 * - at most one of them is told by its lease that it is held,
 * - a lease whose own deadline has passed is never held again,
 * - the signal of a term has aborted by the time its lease is not held any more,
 * - tokens of terms rise, and those of the writes that a fenced register accepts never fall; no refused write is of who leads,
 * - nobody leads under a token that it has released,
 * - a lease is released after its signal has aborted, and after its work has stopped or had its time.
 */
export class Witness {
  #terms: WitnessedTerm[] = [];
  readonly #released = new Set<bigint>();
  #lastToken = 0n;
  #highestWrite = 0n;
  /** The first violation: what throws it may run inside of what swallows errors. */
  #violation: Violation | undefined;
  terms = 0;
  refusedWrites = 0;

  /** A term begins. */
  began(holder: string, clock: FakeClock, term: Term): WitnessedTerm {
    if (term.fencingToken <= this.#lastToken) {
      throw this.#violated(`token ${term.fencingToken} of ${holder} is not above ${this.#lastToken}`);
    }
    if (this.#released.has(term.fencingToken)) {
      throw this.#violated(`${holder} leads under token ${term.fencingToken}, which it had released`);
    }
    this.#lastToken = term.fencingToken;
    this.terms += 1;
    const witnessed = { holder, clock, term, working: true, believedUntilMs: Infinity, stopByMs: Infinity };
    const told = (): void => {
      witnessed.stopByMs = clock.monotonicMs() + term.lease.stopWithinMs;
    };
    if (term.signal.aborted) told();
    else term.signal.addEventListener('abort', told);
    this.#terms.push(witnessed);
    return witnessed;
  }

  /** A process is gone with what it believed. */
  gone(clock: FakeClock): void {
    this.#terms = this.#terms.filter((term) => term.clock !== clock);
  }

  /** A lease is being released. */
  releasing(fencingToken: bigint): void {
    this.#released.add(fencingToken);
    const released = this.#terms.find(({ term }) => term.fencingToken === fencingToken);
    if (released === undefined) return;
    const { holder, clock, term, working, stopByMs } = released;
    if (!term.signal.aborted) throw this.#violated(`${holder} released its lease before its signal aborted`);
    if (working && clock.monotonicMs() < stopByMs - roundingMs)
      throw this.#violated(`${holder} released its lease under its work`);
  }

  /** A write arrives at the register. */
  write(written: WitnessedTerm): void {
    const { holder, term } = written;
    if (term.fencingToken >= this.#highestWrite) {
      this.#highestWrite = term.fencingToken;
      return;
    }
    this.refusedWrites += 1;
    if (written.clock.running && isHeld(written)) throw this.#violated(`a write of ${holder} was refused although it leads`);
  }

  /** Whoever leads now, after a look at everybody who runs. */
  look(): WitnessedTerm | undefined {
    if (this.#violation !== undefined) throw this.#violation;
    let leader: WitnessedTerm | undefined;
    for (const witnessed of this.#terms) {
      if (!witnessed.clock.running) continue;
      if (this.#checked(witnessed)) {
        if (leader !== undefined) throw this.#violated(`${name(leader)} and ${name(witnessed)} lead at once`);
        leader = witnessed;
      }
    }
    // What is lost is looked at for a while yet, in case that it comes back.
    if (this.#terms.length > rememberedMax) this.#terms = this.#terms.filter((term) => term.working || term === leader);
    return leader;
  }

  /** Whether a lease is held, which is looked at together with what it was when it was looked at last. */
  #checked(witnessed: WitnessedTerm): boolean {
    const { holder, clock, term } = witnessed;
    if (term.lease.status === 'lost') {
      if (!term.signal.aborted) throw this.#violated(`${holder} lost its lease and was not told`);
      witnessed.believedUntilMs = -Infinity;
      return false;
    }
    if (clock.bootMs() > witnessed.believedUntilMs + roundingMs) {
      throw this.#violated(`${holder} believes in a lease whose deadline had passed`);
    }
    witnessed.believedUntilMs = clock.bootMs() + term.lease.remainingMs;
    return isHeld(witnessed);
  }

  /** Something else has gone wrong. */
  report(what: string): void {
    this.#violated(what);
  }

  #violated(what: string): Violation {
    this.#violation ??= new Violation(what);
    return this.#violation;
  }
}

const rememberedMax = 8;
const roundingMs = 0.01;

export function isHeld({ term }: WitnessedTerm): boolean {
  try {
    term.assertHeld();
    return true;
  } catch {
    return false;
  }
}

function name({ holder, term }: WitnessedTerm): string {
  return `${holder} (${term.fencingToken})`;
}
