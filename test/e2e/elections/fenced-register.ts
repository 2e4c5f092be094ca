/** What a leader writes to. It remembers the highest token that it has seen, and refuses a write with a lower one. */
export class FencedRegister {
  /** The tokens of all writes that were taken, in order. */
  readonly accepted: bigint[] = [];
  /** The tokens of the writes that were refused: each of them came from a leader that did not know yet that it was none. */
  readonly refused: bigint[] = [];
  #highest = 0n;

  write(token: bigint): void {
    if (token < this.#highest) {
      this.refused.push(token);
      return;
    }
    this.#highest = token;
    this.accepted.push(token);
  }
}

/** Writes that were taken after one with a higher token: none, where fencing works. */
export function staleWrites(accepted: readonly bigint[]): bigint[] {
  let highest = 0n;
  return accepted.filter((token) => {
    if (token > highest) highest = token;
    return token < highest;
  });
}
