import { isHeld, type Attachment, type LeaseCoordinator, type LeaseError, type LeaseRecord, type Loss } from '@leasehold/core';
import type { FakeClock } from '@leasehold/sdk/testing';
import type { HolderOptions } from './participant.js';
import type { Process, Server } from './servers.js';
import { delayMs } from './weather.js';
import type { Place } from './witness.js';

interface StreamOptions {
  readonly holder: string;
  readonly lease: { readonly namespace: string; readonly name: string };
  readonly token: bigint;
  readonly clock: FakeClock;
  acknowledged(sentMs: number, durationMs: number): void;
  lost(loss: Loss): void;
  refused(error: unknown): void;
  closed(): void;
}

/** A stream of heartbeats to one server process: messages arrive in order, late, or not at all from some instant on. */
export class Stream {
  readonly token: bigint;
  /** Whether it beats. */
  isSilent = false;
  readonly #holder: HolderOptions;
  readonly #server: Server;
  readonly #options: StreamOptions;
  readonly #arrivesMs = { server: 0, holder: 0 };
  #process: Process | undefined;
  #coordinator: LeaseCoordinator | undefined;
  #attachment: Attachment | undefined;
  /** Whether the holder has closed it; what is under way to it counts all the same. */
  #isClosed = false;
  /** Whether it carries anything yet. */
  #isDead = false;

  constructor(holder: HolderOptions, server: Server, options: StreamOptions) {
    this.#holder = holder;
    this.#server = server;
    this.#options = options;
    this.token = options.token;
  }

  open(): void {
    const { clock, lease, holder, token } = this.#options;
    const sentMs = clock.monotonicMs();
    this.#toServer(() => {
      const { coordinator } = this.#server;
      if (coordinator === undefined) {
        this.#isDead = true;
        return;
      }
      this.#coordinator = coordinator;
      const since = this.#holder.cluster.witness.place(`${lease.namespace}/${lease.name}`);
      const request = { ...lease, holder, fencingToken: token, readAtMs: coordinator.monotonicMs() };
      const listener = {
        onLoss: (_: Attachment, loss: Loss) => {
          if (loss.graceMs === undefined) this.#toHolder(() => this.#options.lost(loss));
        },
        onDuration: () => undefined,
      };
      coordinator.attach(request, listener).then(
        (attachment) => {
          this.#attachment = attachment;
          this.#acknowledge(sentMs, attachment.durationMs);
        },
        (error: unknown) => {
          this.#checkRefusal(error as LeaseError, since);
          this.#toHolder(() => this.#options.refused(error));
        },
      );
    });
  }

  beat(): void {
    const sentMs = this.#options.clock.monotonicMs();
    this.#toServer(() => {
      if (this.#attachment === undefined || this.#coordinator === undefined) return;
      const { durationMs } = this.#attachment;
      const result = this.#coordinator.beat(this.#attachment, this.#coordinator.monotonicMs());
      if (result === 'renewed') this.#acknowledge(sentMs, durationMs);
    });
  }

  /** The holder listens no more; but it believes what it has heard. */
  close(): void {
    if (this.#isClosed) return;
    this.#toServer(() => {
      if (this.#attachment !== undefined) this.#coordinator?.detach(this.#attachment);
    });
    this.#isClosed = true;
    this.#options.closed();
  }

  #acknowledge(sentMs: number, durationMs: number): void {
    this.#holder.cluster.witness.count('acknowledged');
    this.#toHolder(() => this.#options.acknowledged(sentMs, durationMs));
  }

  #checkRefusal({ reason }: LeaseError, since: Place): void {
    const { lease, token } = this.#options;
    const { witness } = this.#holder.cluster;
    if (!['LEASE_LOST', 'LEASE_EXPIRED', 'LEASE_NOT_FOUND'].includes(reason)) return;
    const isSo = (record: LeaseRecord | undefined): boolean => !isHeld(record) || record.fencingToken !== token;
    const what = `${this.#server.name}: attach of ${token} is refused as ${reason}`;
    witness.wasTrue(what, `${lease.namespace}/${lease.name}`, since, isSo);
  }

  #toServer(arrive: () => void): void {
    this.#carry('server', () => {
      this.#process ??= this.#server.process;
      if (this.#process === undefined) this.#isDead = true;
      this.#process?.clock.soon(arrive);
    });
  }

  #toHolder(arrive: () => void): void {
    this.#carry('holder', () => this.#options.clock.soon(arrive));
  }

  #carry(to: 'server' | 'holder', arrive: () => void): void {
    const { cluster, weather } = this.#holder;
    if (this.#isDead) return;
    // A loss is the last that is heard of a connection.
    if (cluster.chance.happens(weather().loss)) {
      this.#isDead = true;
      return;
    }
    const nowMs = cluster.time.monotonicMs();
    const atMs = Math.max(nowMs + delayMs(cluster.chance, weather()), this.#arrivesMs[to]);
    this.#arrivesMs[to] = atMs;
    cluster.time.after(atMs - nowMs, arrive);
  }
}
