import type { Term } from './election.js';

/** Runs an election with this work, until it has ended. */
type Run = (work: (term: Term) => Promise<void>, stop: AbortSignal) => Promise<void>;

/** A term on its way to the loop. */
interface Offer {
  readonly term: Term;
  /** The body of the loop is done with it. */
  readonly done: () => void;
}

/** An election as an iteration over its terms. The election starts with the iteration and ends with it. */
export async function* leadership(run: Run): AsyncGenerator<Term, void, undefined> {
  const left = new AbortController();
  let offer: (offer: Offer) => void = () => undefined;
  let next = new Promise<Offer>((resolve) => (offer = resolve));
  const ended = run((term) => new Promise<void>((done) => offer({ term, done })), left.signal);
  const over = ended.then(() => undefined);
  // It is heard of when the loop asks for the next term.
  over.catch(() => undefined);
  try {
    for (;;) {
      const offered = await Promise.race([next, over]);
      if (offered === undefined) return;
      // One term at a time: the next one is offered only once this one is done with.
      next = new Promise<Offer>((resolve) => (offer = resolve));
      try {
        yield offered.term;
      } finally {
        offered.done();
      }
    }
  } finally {
    left.abort();
    await ended;
  }
}
