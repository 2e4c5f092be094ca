/**
 * Time, injected everywhere: nothing in this package reads a clock or sets a timer by itself.
 *
 * Decisions rest on `monotonicMs` alone. The wall clock is written into records for people to read.
 */
export interface Clock {
  /** Milliseconds, with fractions, since some fixed instant. Never goes back, and never jumps when the wall clock is set. */
  monotonicMs(): number;
  /** Milliseconds since 1970, as the machine believes. May jump either way. */
  wallMs(): number;
  /** Calls `action` once, `delayMs` from now or a little later. Returns what cancels it. */
  after(delayMs: number, action: () => void): () => void;
  /** Calls `action` soon: after the input that already waits has been read. What arrives together is so decided together. */
  soon(action: () => void): void;
}
