import type { Clock } from '../clock.js';
import { busyError, isOver } from '../errors.js';
import type { HeldLease } from '../lease/held-lease.js';
import type { AcquireOutcome } from '../lease/tenures.js';
import type { Deleted } from '../transport/transport.js';
import type { Lease } from '../types.js';
import type { AcquireOptions, DeleteOptions, UpdateOptions } from '../verbs.js';
import { firstEntries, mergeStatus, missingStatus, type NodeStatus, unknownStatus } from './node-status.js';
import type { Turns } from './turns.js';

/** The calls of a client that keeping a node alive takes. */
export interface NodeClient {
  acquire(name: string, options: AcquireOptions): Promise<AcquireOutcome>;
  update(name: string, options: UpdateOptions): Promise<Lease>;
  delete(name: string, options: DeleteOptions): Promise<Deleted>;
}

/** What the nodes of one agent share. */
export interface NodeKeeper {
  readonly client: NodeClient;
  readonly clock: Clock;
  readonly turns: Turns;
  readonly namespace: string;
  readonly durationMs: number;
  readonly beatIntervalMs: number;
  readonly keepAfterExpiryMs: number | undefined;
  labelsOf(node: string): Readonly<Record<string, string>> | undefined;
  held(node: string, lease: HeldLease): void;
  lost(node: string, error: Error): void;
  failed(node: string, error: Error): void;
}

/**
 * One node: its lease is acquired, acquired again whenever it is lost, and its status written whenever the record does not say it.
 *
 * One thing at a time is under way for a node, and for all nodes together only as many as there are turns. What fails is tried again
 * after a pause, without end.
 */
export class KeptNode {
  readonly name: string;
  readonly #keeper: NodeKeeper;
  #lease: HeldLease | undefined;
  #heldSinceMs = 0;
  #status: NodeStatus;
  /** What the record says, as far as it is known here. */
  #said: NodeStatus = {};
  #failures = 0;
  #cancelPause: (() => void) | undefined;
  #underWay: Promise<void> | undefined;
  /** `ending`: nothing more is begun. `left`: a grant that still comes is left to run out, too. */
  #phase: 'kept' | 'ending' | 'left' = 'kept';

  constructor(keeper: NodeKeeper, name: string, status: NodeStatus) {
    this.name = name;
    this.#keeper = keeper;
    this.#status = mergeStatus({}, status);
    this.#attend();
  }

  /** The lease, while it is kept. */
  get lease(): HeldLease | undefined {
    return this.#lease;
  }

  /** Changes the status, and has it written. */
  setStatus(status: NodeStatus): void {
    this.#status = mergeStatus(this.#status, status);
    this.#attend();
  }

  /** Begins nothing more. What is held stays held. */
  rest(): void {
    this.#phase = 'ending';
    this.#cancelPause?.();
  }

  /** Ends everything at once, and leaves the lease to run out by itself. */
  leave(): void {
    this.rest();
    this.#phase = 'left';
    this.#lease?.abandon();
    this.#lease = undefined;
  }

  /** Ends everything: waits for what is under way, then gives the lease back. */
  async giveBack(ending: 'release' | 'delete'): Promise<void> {
    this.rest();
    await this.#underWay;
    const { client, namespace, turns } = this.#keeper;
    await turns.run(async () => {
      const lease = this.#lease;
      this.#lease = undefined;
      if (lease === undefined) return;
      await lease.release();
      if (ending === 'delete') await client.delete(this.name, { namespace, fencingToken: lease.fencingToken }).catch(unlessOver);
    });
  }

  /** Sees to it that what is missing gets done, unless it is under way or a pause has to end first. */
  #attend(): void {
    if (
      this.#phase !== 'kept' ||
      this.#underWay !== undefined ||
      this.#cancelPause !== undefined ||
      this.#missing() === undefined
    ) {
      return;
    }
    this.#underWay = this.#keeper.turns
      .run(() => this.#complete())
      .catch((error: unknown) => {
        this.#fail(error as Error);
      })
      .finally(() => {
        this.#underWay = undefined;
        this.#attend();
      });
  }

  /** What is to be done: get the lease, or write this; `undefined`: nothing. */
  #missing(): 'lease' | NodeStatus | undefined {
    return this.#lease === undefined ? 'lease' : missingStatus(this.#status, this.#said);
  }

  async #complete(): Promise<void> {
    while (this.#phase === 'kept' && this.#cancelPause === undefined) {
      const missing = this.#missing();
      if (missing === undefined) return;
      if (missing === 'lease') await this.#acquire();
      else await this.#write(missing);
    }
  }

  async #acquire(): Promise<void> {
    const { client, clock, namespace, durationMs, beatIntervalMs, keepAfterExpiryMs } = this.#keeper;
    const labels = firstEntries(this.#keeper.labelsOf(this.name), this.#status.labels);
    const { granted, busy } = await client.acquire(this.name, {
      ...{ namespace, durationMs, beatIntervalMs, keepAfterExpiryMs, labels },
      holder: this.name,
      // The holder's name is the identity: an agent that starts again is granted the tenure of the one before it.
      acquireId: '',
    });
    if (granted === undefined) throw busyError(this.name, busy);
    if (this.#phase === 'left') {
      granted.abandon();
      return;
    }
    this.#lease = granted;
    this.#said = granted.lease;
    this.#heldSinceMs = clock.monotonicMs();
    if (this.#phase === 'kept') this.#keeper.held(this.name, granted);
    // It may have been lost since the client looked.
    if (granted.signal.aborted) this.#lose(granted);
    else granted.signal.addEventListener('abort', () => this.#lose(granted), { once: true });
  }

  async #write(missing: NodeStatus): Promise<void> {
    const { client, namespace } = this.#keeper;
    const fencingToken = this.#lease?.fencingToken;
    // Until it is answered, nobody knows what the record says.
    this.#said = mergeStatus(this.#said, unknownStatus(missing));
    await client.update(this.name, { ...missing, namespace, fencingToken });
    // Not what the answer says: a server that keeps less than it was given would be written to for ever.
    this.#said = mergeStatus(this.#said, missing);
    this.#failures = 0;
  }

  #lose(lease: HeldLease): void {
    // Not at once: a client that closes may give its leases up before it says so.
    queueMicrotask(() => {
      if (this.#lease !== lease || this.#phase !== 'kept') return;
      this.#lease = undefined;
      // It is being revoked, and has a grace to finish its work in; there is none here.
      if (lease.status !== 'lost') void lease.release().catch(() => undefined);
      this.#keeper.lost(this.name, lease.signal.reason as Error);
      // A lease that is lost as soon as it is held must not be acquired in a tight circle.
      if (this.#keeper.clock.monotonicMs() - this.#heldSinceMs < this.#keeper.beatIntervalMs) this.#pause();
      else this.#failures = 0;
      this.#attend();
    });
  }

  #fail(error: Error): void {
    if (this.#phase !== 'kept') return;
    this.#pause();
    this.#keeper.failed(this.name, error);
  }

  #pause(): void {
    this.#failures += 1;
    const fullMs = Math.min(pauseMsMin * 2 ** (this.#failures - 1), pauseMsMax);
    this.#cancelPause?.();
    this.#cancelPause = this.#keeper.clock.after(fullMs * (0.5 + this.#keeper.clock.random() / 2), () => {
      this.#cancelPause = undefined;
      this.#attend();
    });
  }
}

/** Those of the kubelet, which doubles 100 ms before it first waits, up to 7 s; half of it by chance is ours. */
const pauseMsMin = 200;
const pauseMsMax = 7000;

/** Somebody else has the lease by now, or has deleted it: then there is nothing to delete. */
function unlessOver(error: unknown): void {
  if (!isOver(error)) throw error;
}
