/** What closes: a response or a socket. */
interface Closable {
  once(event: 'close', listener: () => void): unknown;
}

/** Remembers whether something has closed. Responses of HTTP/2 do not say, once they have. */
export class Closing {
  #closed = false;
  readonly #source: Closable;

  constructor(source: Closable) {
    this.#source = source;
    source.once('close', () => {
      this.#closed = true;
    });
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Calls `action` when it closes, or at once if it has. */
  onClose(action: () => void): void {
    if (this.#closed) {
      action();
    } else {
      this.#source.once('close', action);
    }
  }
}
