import { createHash, randomUUID } from 'node:crypto';
import type { AnswerTo, Clock, Command, LeaseCoordinator } from '@leasehold/core';
import type { Log } from './log.js';

/** How a server publishes that it is there. All times in milliseconds. */
export interface IdentityOptions {
  /** Where the coordinator of the moment is found. */
  readonly engine: { current(): LeaseCoordinator };
  readonly clock: Clock;
  readonly log: Log;
  readonly hostName: string;
  /** Tells the servers of one host apart; the same after a restart. */
  readonly instance: string;
  /** Where it serves gRPC, as clients of other machines reach it if they can. */
  readonly address: string;
  readonly version: string;
  /** How long the lease stays held without a renewal. */
  readonly durationMs: number;
  /** How often it is renewed. */
  readonly renewalMs: number;
  /** How long it is kept once it has expired. */
  readonly keepMs: number;
}

/** Kubernetes keeps the leases of its own servers in this namespace, under a label of this key. */
const namespace = 'kube-system';
const identityLabel = 'apiserver.kubernetes.io/identity';
const hostLabel = 'kubernetes.io/hostname';
const addressAnnotation = 'server.leasehold.dev/address';
const versionAnnotation = 'server.leasehold.dev/version';

const firstRetryMs = 100;

/**
 * A server's own lease, as kube-apiserver has one: by it clients learn how many servers there are. It is renewed for as long as the
 * server lives, deleted when it drains, and collected as garbage some time after a server that was killed.
 *
 * It is a lease like any other, and nothing rests on it: where it cannot be published, that is logged and tried again.
 */
export class IdentityLease {
  readonly name: string;
  readonly #options: IdentityOptions;
  readonly #acquire: Extract<Command, { kind: 'acquire' }>;
  /** The tenure of this process, once it has had one. */
  #token: bigint | undefined;
  #failures = 0;
  #publishing: Promise<void> = Promise.resolve();
  #cancelNext: () => void = () => undefined;
  #withdrawn = false;

  constructor(options: IdentityOptions) {
    const { hostName, instance, address, version, durationMs, keepMs } = options;
    this.#options = options;
    this.name = identityName(hostName, instance);
    this.#acquire = {
      kind: 'acquire',
      namespace,
      name: this.name,
      waitMs: 0,
      priority: 0,
      claim: {
        holder: `${this.name}_${randomUUID()}`,
        // The holder's name is the identity: the same command begins the tenure, renews it, and mends it when it was lost.
        acquireId: '',
        durationMs,
        labels: { [identityLabel]: 'leasehold', [hostLabel]: labelValue(hostName) },
        annotations: { [addressAnnotation]: address, [versionAnnotation]: version },
        keepAfterExpiryMs: keepMs,
      },
    };
  }

  /** Publishes the lease, and goes on renewing it. */
  start(): void {
    this.#publishing = this.#round();
  }

  /** Publishes no more, and deletes the lease: a server that has ended in order is not to be counted. Never throws. */
  async withdraw(): Promise<void> {
    this.#withdrawn = true;
    this.#cancelNext();
    try {
      // Found before anything is waited for: a server that drains has none for newcomers.
      const coordinator = this.#options.engine.current();
      await this.#publishing;
      if (this.#token !== undefined) {
        // Nobody but this process believed in it, so its name needs no reservation.
        const guards = { uid: '', fencingToken: this.#token, resourceVersion: 0n, force: true };
        await coordinator.submit({ kind: 'delete', namespace, name: this.name, ...guards });
      }
    } catch (error) {
      this.#options.log.warn({ err: error, lease: this.name }, 'The identity lease was not deleted: it will expire');
    }
  }

  async #round(): Promise<void> {
    const { clock, log, renewalMs } = this.#options;
    try {
      this.#token = await this.#publish();
      this.#failures = 0;
    } catch (error) {
      this.#failures++;
      const level = this.#failures === 1 ? 'warn' : 'debug';
      log[level]({ err: error, lease: this.name }, 'The identity lease could not be published: it is tried again');
    }
    if (!this.#withdrawn) {
      const delayMs = this.#failures === 0 ? renewalMs : Math.min(firstRetryMs * 2 ** (this.#failures - 1), renewalMs);
      this.#cancelNext = clock.after(delayMs, () => {
        this.start();
      });
    }
  }

  async #publish(): Promise<bigint> {
    const coordinator = this.#options.engine.current();
    let answer = await coordinator.submit(this.#acquire);
    if (answer.kind === 'busy' && this.#isPredecessor(answer.busy.holder)) {
      await this.#endTenure(coordinator, answer.busy.fencingToken);
      answer = await coordinator.submit(this.#acquire);
    }
    if (answer.kind === 'busy') {
      throw new Error(busyMessage(answer));
    }
    return answer.record.fencingToken;
  }

  /**
   * Whether the lease is held by an earlier run of this very server, which was killed. Asked only until this process has had the lease:
   * if somebody else takes the same name later, that is another server with the same identity, and two that took the lease from each
   * other for ever would help nobody.
   */
  #isPredecessor(holder: string): boolean {
    return this.#token === undefined && holder.startsWith(`${this.name}_`);
  }

  /**
   * Ends the tenure of an earlier run at once, which would otherwise last for up to an hour. To force it is safe: a process that has
   * this store open, or this address, has outlived the one that had it before, so nobody is left who could believe in that tenure.
   */
  async #endTenure(coordinator: LeaseCoordinator, fencingToken: bigint): Promise<void> {
    const { name } = this;
    await coordinator.submit({ kind: 'revoke', namespace, name, fencingToken, graceMs: 0, force: true, transferTo: '' });
  }
}

/**
 * The name of a server's lease: `leasehold-`, and half of the SHA-256 of host name and instance in base32. Each is preceded by its
 * length, so that no two pairs are the same bytes.
 */
export function identityName(hostName: string, instance: string): string {
  const hash = createHash('sha256');
  for (const part of [hostName, instance]) {
    hash.update(`${Buffer.byteLength(part)}:${part}`);
  }
  return `leasehold-${base32(hash.digest().subarray(0, 16))}`;
}

/** A host name as a label's value, which has 63 characters at most, few of them special, and none of those at its ends. */
export function labelValue(hostName: string): string {
  return hostName
    .replace(/[^A-Za-z0-9_.-]/g, '-')
    .replace(/^[^A-Za-z0-9]+/, '')
    .slice(0, 63)
    .replace(/[^A-Za-z0-9]+$/, '');
}

/** RFC 4648, in lower case and without padding. */
function base32(bytes: Uint8Array): string {
  const bits = Array.from(bytes, (byte) => byte.toString(2).padStart(8, '0')).join('');
  const digits = bits.match(/.{1,5}/g) ?? [];
  return digits.map((digit) => 'abcdefghijklmnopqrstuvwxyz234567'.charAt(parseInt(digit.padEnd(5, '0'), 2))).join('');
}

function busyMessage({ busy }: Extract<AnswerTo<'acquire'>, { kind: 'busy' }>): string {
  const holder = busy.holder === '' ? 'it was deleted and its name is reserved' : `${busy.holder} holds it`;
  return `Publish the identity lease: ${holder}, for another ${Math.round(busy.remainingMs)} ms`;
}
