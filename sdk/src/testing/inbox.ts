/** What has arrived and was not taken yet. */
export class Inbox<T> {
  readonly #items: T[] = [];
  #error: Error | undefined;
  #wake: () => void = () => undefined;

  put(item: T): void {
    this.#items.push(item);
    this.#wake();
  }

  /** Nothing more comes. What is there can still be taken. */
  fail(error: Error): void {
    this.#error ??= error;
    this.#wake();
  }

  async take(): Promise<T> {
    for (;;) {
      const item = this.#items.shift();
      if (item !== undefined) return item;
      if (this.#error !== undefined) throw this.#error;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}
