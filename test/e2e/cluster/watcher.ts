import { WatchExpiredError, type Client, type LeaseEvent, type LeaseWatch } from '@leasehold/sdk';
import { labelsOf } from './lease-model.js';

/** An event, and when somebody was told of it. */
export interface Told {
  readonly event: LeaseEvent;
  readonly toldMs: number;
}

/** Watches all leases from a revision on, renewals included, and keeps what it is told. */
export class Watcher {
  readonly told: Told[] = [];
  /** How often a server did not know yet what another one had told. */
  futures = 0;
  readonly #client: Client;
  readonly #onEvent: (event: LeaseEvent) => void;
  #watch: LeaseWatch;
  #failure: unknown;

  constructor(client: Client, fromRevision: bigint, onEvent: (event: LeaseEvent) => void = () => undefined) {
    this.#client = client;
    this.#onEvent = onEvent;
    this.#watch = this.#open(fromRevision);
    void this.#run().catch((error: unknown) => {
      this.#failure = error;
    });
  }

  /** Everything up to here has been told. @throws what has ended the watch. */
  get revision(): bigint {
    if (this.#failure !== undefined) throw this.#failure as Error;
    return this.#watch.revision;
  }

  /** All but renewals, as text: a renewal may be left out for a later one. */
  get changes(): string[] {
    return this.told.filter(({ event }) => event.type !== 'RENEWED').map(({ event }) => eventText(event));
  }

  get renewals(): string[] {
    return this.told.filter(({ event }) => event.type === 'RENEWED').map(({ event }) => eventText(event));
  }

  close(): void {
    this.#watch.close();
  }

  async #run(): Promise<void> {
    for (;;) {
      try {
        for await (const event of this.#watch) {
          this.told.push({ event, toldMs: performance.now() });
          this.#onEvent(event);
        }
        return;
      } catch (error) {
        if (!(error instanceof WatchExpiredError) || error.reason !== 'REVISION_IN_FUTURE') throw error;
        // A server that is cut off from etcd does not know it yet.
        this.futures += 1;
        this.#watch = this.#open(this.#watch.revision);
      }
    }
  }

  #open(fromRevision: bigint): LeaseWatch {
    return this.#client.watch({ fromRevision, includeRenewals: true });
  }
}

/** What an event says, for comparison. */
export function eventText({ revision, type, reason, lease }: LeaseEvent): string {
  const { name, state, holder, fencingToken, resourceVersion } = lease;
  return `${revision} ${type} ${reason} ${name} ${state} ${holder} ${fencingToken} ${resourceVersion} ${labelsOf(lease)}`;
}

/** Events that came out of order, twice, or apart from the release that they share a revision with. */
export function disordered(told: readonly Told[]): string[] {
  return told.flatMap(({ event }, index) => {
    const before = told[index - 1]?.event;
    if (before === undefined || event.revision > before.revision) return [];
    const isSuccession =
      event.revision === before.revision && event.type === 'ACQUIRED' && ['RELEASED', 'EXPIRED'].includes(before.type);
    return isSuccession && event.lease.name === before.lease.name ? [] : [`${eventText(event)} after ${eventText(before)}`];
  });
}
