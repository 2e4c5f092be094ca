/**
 * What a reader has yet to read: one entry for each key, however far it falls behind. So memory is bounded by what there is, not by
 * what happens.
 */
export class Mailbox<Key, Value extends object> {
  readonly #combine: (unread: Value, newer: Value) => Value | undefined;
  readonly #entries = new Map<Key, Value>();
  #end: { readonly error: Error | undefined } | undefined;
  #wake: () => void = () => undefined;

  /**
   * @param combine what an unread entry and a newer one of its key amount to; `undefined`: nothing that needs to be read. Default: the
   *   newer one.
   */
  constructor(combine: (unread: Value, newer: Value) => Value | undefined = (_unread, newer) => newer) {
    this.#combine = combine;
  }

  /** Puts an entry in, in the place of an unread one of its key. */
  put(key: Key, value: Value): void {
    if (this.#end !== undefined) return;
    const unread = this.#entries.get(key);
    const entry = unread === undefined ? value : this.#combine(unread, value);
    if (entry === undefined) this.#entries.delete(key);
    else this.#entries.set(key, entry);
    this.#wake();
  }

  /** Ends the reading at once: it throws the error, or finishes quietly without one. The first end counts. */
  end(error?: Error): void {
    this.#end ??= { error };
    this.#entries.clear();
    this.#wake();
  }

  /** Takes entries out in the order of their keys' first coming, waiting for more, until the end. One reader at a time. */
  async *read(): AsyncGenerator<Value, void, undefined> {
    while (this.#end === undefined) {
      for (const [key, value] of this.#entries) {
        this.#entries.delete(key);
        yield value;
      }
      await this.#more();
    }
    if (this.#end.error !== undefined) throw this.#end.error;
  }

  async #more(): Promise<void> {
    if (this.#end !== undefined) return;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
  }
}
