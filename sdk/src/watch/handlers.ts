/**
 * Handlers of named events. They are called in the order in which they came. One that throws keeps no other from being called: its
 * error goes to the handlers of `error`, and where there is none it is an unhandled rejection, for it is a fault of the program.
 */
export class Handlers<Events extends { readonly error: Error }> {
  readonly #handlers: { [Name in keyof Events]?: Set<(what: Events[Name]) => void> } = {};

  /** Adds a handler. Returns what removes it. */
  on<Name extends keyof Events>(name: Name, handler: (what: Events[Name]) => void): () => void {
    const handlers = (this.#handlers[name] ??= new Set());
    handlers.add(handler);
    return () => {
      handlers.delete(handler);
    };
  }

  emit<Name extends keyof Events>(name: Name, what: Events[Name]): void {
    for (const handler of this.#handlers[name] ?? []) {
      try {
        handler(what);
      } catch (error) {
        this.#thrown(name, error instanceof Error ? error : new Error('A handler threw', { cause: error }));
      }
    }
  }

  #thrown(name: keyof Events, error: Error): void {
    const heard = name !== 'error' && (this.#handlers.error?.size ?? 0) > 0;
    if (heard) this.emit('error', error);
    else void Promise.reject(error);
  }
}
