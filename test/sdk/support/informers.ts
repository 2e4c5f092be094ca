import type { Lease, LeaseChange, LeaseEvent, LeasePage, Transport } from '@leasehold/sdk';
import { FakeTransport } from './fake-transport.js';

/** A server whose lists and watches are played from scripts. Without one a list waits for ever, and so does a watch at its end. */
export class ScriptedServer {
  /** The pages of each list, or why it failed. */
  readonly lists: (readonly (LeasePage | Error)[])[] = [];
  readonly transport: Transport;
  readonly #fake = new FakeTransport();
  #pages: readonly (LeasePage | Error)[] = [];
  #listed = 0;

  constructor() {
    this.transport = this.#fake;
    this.transport.list = (request, call) => this.#list(Number(request.pageToken), call.signal);
  }

  /** How many lists were begun. */
  get listed(): number {
    return this.#listed;
  }

  /** From where each watch was asked for. */
  get watchedFrom(): bigint[] {
    return this.#fake.watches.map(({ fromRevision }) => fromRevision);
  }

  /** The next watch: events in one message, and then an error, if any. */
  plays(events: readonly LeaseEvent[], error?: Parameters<FakeTransport['watchScripts']['push']>[0]['error']): void {
    const messages = [{ events, revision: events.at(-1)?.revision ?? 1n }];
    this.#fake.watchScripts.push(error === undefined ? { messages } : { messages, error });
  }

  async #list(index: number, signal: AbortSignal | undefined): ReturnType<Transport['list']> {
    if (index === 0) {
      // Asked for in one turn, answered in another, as over a network.
      await Promise.resolve();
      this.#listed += 1;
      this.#pages = this.lists.shift() ?? [];
    }
    const page = this.#pages[index];
    if (page === undefined)
      return new Promise((_, reject) => signal?.addEventListener('abort', () => reject(signal.reason as Error)));
    if (page instanceof Error) throw page;
    return { ...page, nextPageToken: index + 1 < this.#pages.length ? String(index + 1) : '' };
  }
}

/** A change in a few words: what, which and why. */
export function shown({ type, lease, reason }: LeaseChange): string {
  return `${type} ${lease.name} ${reason}`;
}

/** A record in a few words. */
export function recordOf(lease: Lease): string {
  const { namespace, name, uid, state, holder, resourceVersion, labels } = lease;
  return JSON.stringify([namespace, name, uid, state, holder, String(resourceVersion), labels]);
}
