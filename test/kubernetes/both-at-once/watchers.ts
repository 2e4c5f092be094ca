import type { IncomingMessage } from 'node:http';
import { createInterface } from 'node:readline';
import { EventReason, EventType, type Event } from '@leasehold/proto/leasehold/v1/lease';
import type { LeaseServiceClient } from '@leasehold/proto/leasehold/v1/lease_service';
import { onTestFinished } from 'vitest';
import { TestWatch } from '../../server/support.js';
import { versionOf, type Entry, type Shown } from './history.js';
import { textOf } from './lease-state.js';
import { leasesPath, type KubeClient, type KubeLease } from './kube-client.js';
import { ofGrpc, ofKubernetes } from './shown.js';

/** A change of a lease as a watch tells of it. */
export interface Change {
  readonly lease: string;
  readonly gone: boolean;
  readonly shown: Shown;
}

/** A change as text, for comparison: what both APIs show of it. */
export function changeText({ lease, gone, shown: { version, uid, state, holder, token, labels } }: Change): string {
  return `${version} ${lease} ${uid} ${gone ? 'GONE' : `${state} ${holder} ${token}`} ${textOf(labels)}`;
}

/** Watches over gRPC, and goes on from where it was whenever it is told to come again. */
export class GrpcWatcher {
  readonly #client: LeaseServiceClient;
  readonly #past: Event[] = [];
  #watch: TestWatch;

  constructor(client: LeaseServiceClient, fromRevision: bigint) {
    this.#client = client;
    this.#watch = this.#open(fromRevision);
  }

  /** Drops the stream and opens another one, from the last revision that this one has brought. */
  comeAgain(): void {
    const { events, received } = this.#watch;
    const revision = received.at(-1)?.revision;
    if (revision === undefined) return;
    this.#past.push(...events);
    this.#watch = this.#open(revision);
  }

  get events(): Event[] {
    return [...this.#past, ...this.#watch.events];
  }

  get revision(): bigint {
    return this.#watch.received.at(-1)?.revision ?? 0n;
  }

  /** What a watcher of the Kubernetes API is told: of a release and the grant that follows it only the last. */
  get changes(): Change[] {
    const { events } = this;
    return events
      .filter(({ revision }, index) => events[index + 1]?.revision !== revision)
      .map(({ type, lease }) => ({ lease: lease!.name, gone: type === EventType.DELETED, shown: ofGrpc(lease!) }));
  }

  #open(fromRevision: bigint): TestWatch {
    return new TestWatch(this.#client, { namespace: 'default', fromRevision, includeRenewals: true });
  }
}

/** Watches over the Kubernetes API; see `GrpcWatcher`. */
export class KubeWatcher {
  readonly changes: Change[] = [];
  readonly #client: KubeClient;
  #version: string;
  #response: IncomingMessage | undefined;

  private constructor(client: KubeClient, version: string) {
    this.#client = client;
    this.#version = version;
  }

  static async open(client: KubeClient, version: bigint): Promise<KubeWatcher> {
    const watcher = new KubeWatcher(client, String(version));
    onTestFinished(() => watcher.close());
    await watcher.#open();
    return watcher;
  }

  async comeAgain(): Promise<void> {
    this.close();
    await this.#open();
  }

  close(): void {
    this.#response?.destroy();
    this.#response = undefined;
  }

  async #open(): Promise<void> {
    const response = await this.#client.open(`${leasesPath}?watch=1&resourceVersion=${this.#version}`);
    this.#response = response;
    response.on('error', () => {});
    createInterface(response).on('line', (line) => {
      // A stream that was dropped brings nothing more: what it had in hand would come twice.
      if (this.#response === response) this.#take(line);
    });
  }

  #take(line: string): void {
    const { type, object } = JSON.parse(line) as { type: string; object: KubeLease };
    if (object.kind !== 'Lease') throw new Error(line);
    this.#version = object.metadata.resourceVersion;
    this.changes.push({ lease: object.metadata.name, gone: type === 'DELETED', shown: ofKubernetes(object) });
  }
}

/** What the server did by itself, as entries of the history: changes that a watch tells of, and that nobody has asked for. */
export function elapsed(events: readonly Event[], entries: readonly Entry[], seenMs: number): Entry[] {
  const asked = new Set(entries.filter(isChange).map(versionOf));
  const granted = new Set(entries.filter(({ input }) => input.kind === 'acquire').map(versionOf));
  const found: Entry[] = [];
  events.forEach(({ type, reason, revision, lease }, index) => {
    const isFirst = events[index - 1]?.revision !== revision;
    const isDirect = type === EventType.ACQUIRED && reason === EventReason.REQUESTED && granted.has(revision);
    const isAsked = type === EventType.DELETED || reason === EventReason.REVOKING || asked.has(revision) || isDirect;
    if (!isFirst || isAsked) return;
    const last = events[index + 1]?.revision === revision ? events[index + 1]!.lease! : lease!;
    found.push({
      ...{ by: 'the server', lease: lease!.name, callMs: 0, returnMs: seenMs },
      ...{ input: { kind: 'elapse', does: doneBy(type, reason) }, output: { kind: 'shown', lease: ofGrpc(last) } },
    });
  });
  return found;
}

/** Whether an entry has made the version that it shows. A grant out of the queue is somebody else's doing, and a repeat nobody's. */
function isChange({ input, output }: Entry): boolean {
  if (input.kind === 'get' || input.kind === 'acquire' || input.kind === 'revoke') return false;
  return output.kind !== 'shown' || output.repeated !== true;
}

function doneBy(type: EventType, reason: EventReason): 'expire' | 'end' | 'renew' | 'grant' {
  if (type === EventType.EXPIRED) return 'expire';
  if (type === EventType.RENEWED) return 'renew';
  if (type === EventType.RELEASED && reason === EventReason.REVOKED) return 'end';
  if (type === EventType.ACQUIRED && reason === EventReason.HANDED_OVER) return 'grant';
  throw new Error(`Nobody asked for an event ${type} because of ${reason}`);
}
