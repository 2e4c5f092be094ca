/** Looks at what others have done: one look serves all who have asked before it began. */
export class CatchUp {
  readonly #look: () => Promise<void>;
  #running: Promise<void> | undefined;
  #next: Promise<void> | undefined;

  constructor(look: () => Promise<void>) {
    this.#look = look;
  }

  /** Resolves once a look that began after this call is done. @throws what the look does. */
  run(): Promise<void> {
    if (this.#running === undefined) return this.#begin();
    // The one under way may have missed what the caller knows of.
    this.#next ??= this.#running.then(
      () => this.#begin(),
      () => this.#begin(),
    );
    return this.#next;
  }

  #begin(): Promise<void> {
    this.#next = undefined;
    const look = this.#look().finally(() => {
      if (this.#running === look) this.#running = undefined;
    });
    this.#running = look;
    return look;
  }
}
