import type { LeaseCoordinator, LeaseRecord } from '@leasehold/core';
import type { StreamAnswer, StreamHead } from '../../server/dist/kubernetes/lease-api.js';
import type { ApiRequest, LeaseTarget } from '../../server/dist/kubernetes/request.js';
import { StatusError } from '../../server/dist/kubernetes/status.js';
import { watchLeases } from '../../server/dist/kubernetes/watch/watch-leases.js';
import { acquire, update, type World } from '../core/world.js';
import { settle } from '@leasehold/sdk/testing';

/** An event of a watch in JSON, as far as tests look at it. */
export interface SeenEvent {
  readonly type: string;
  readonly object: {
    readonly kind: string;
    readonly apiVersion: string;
    readonly metadata: {
      readonly name?: string;
      readonly namespace?: string;
      readonly resourceVersion?: string;
      readonly labels?: Readonly<Record<string, string>>;
      readonly annotations?: Readonly<Record<string, string>>;
    };
    readonly spec?: { readonly holderIdentity?: string };
    readonly code?: number;
    readonly message?: string;
    readonly columnDefinitions?: readonly { readonly name: string }[] | null;
    readonly rows?: readonly { readonly cells: readonly string[]; readonly object: { readonly kind: string } | null }[];
  };
}

/** The client's end of a watch. It takes as much as it has room for. */
export class WatchClient implements StreamAnswer {
  readonly framed: boolean;
  readonly chunks: (string | Uint8Array)[] = [];
  head: StreamHead | undefined;
  ended = false;
  room = Infinity;
  readonly #controller = new AbortController();
  #resume = (): void => {};

  constructor({ framed = false }: { framed?: boolean } = {}) {
    this.framed = framed;
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  start(head: StreamHead): void {
    this.head = head;
  }

  write(chunk: string | Uint8Array): boolean {
    if (this.head === undefined) {
      throw new Error('written before the start');
    }
    if (!this.signal.aborted) {
      this.chunks.push(chunk);
      this.room--;
    }
    return this.room > 0;
  }

  onDrain(resume: () => void): void {
    this.#resume = resume;
  }

  end(): void {
    this.ended = true;
    this.leave();
  }

  /** Takes more chunks. */
  drain(room = Infinity): void {
    this.room = room;
    this.#resume();
  }

  /** Goes away. */
  leave(): void {
    this.#controller.abort();
  }

  /** All that has arrived, as JSON. */
  get events(): SeenEvent[] {
    const lines = this.chunks
      .map((chunk) => Buffer.from(chunk).toString())
      .join('')
      .split('\n');
    return lines.filter((line) => line !== '').map((line) => JSON.parse(line) as SeenEvent);
  }

  /** `TYPE name holder` of each event. */
  get seen(): string[] {
    return this.events.map(({ type, object: { metadata, spec } }) =>
      [type, metadata.name, spec?.holderIdentity].filter((part) => part !== undefined && part !== '').join(' '),
    );
  }

  get versions(): bigint[] {
    return this.events.map(({ object }) => BigInt(object.metadata.resourceVersion ?? '0'));
  }
}

export interface WatchParts {
  /** Default: the namespace `default`. */
  readonly target?: LeaseTarget;
  readonly accept?: string;
  readonly client?: WatchClient;
}

/** Watches leases; rejects with what the watch is refused with. Without `watch` in the query, it is watched by its path alone. */
export async function watch(world: World, query = 'watch=1', parts: WatchParts = {}): Promise<WatchClient> {
  const { target = { namespace: 'default', name: undefined }, accept, client = new WatchClient() } = parts;
  const request: ApiRequest = {
    method: 'GET',
    path: '/',
    query: new URLSearchParams(query),
    header: (name) => (name === 'accept' ? accept : undefined),
    body: new Uint8Array(),
    readAtMs: world.clock.monotonicMs(),
    signal: client.signal,
  };
  const engine = { current: (): LeaseCoordinator => world.coordinator };
  const opened = watchLeases({ engine, clock: world.clock }, request, target, client);
  opened.catch(() => {});
  await settle();
  await Promise.race([opened, settle()]);
  return client;
}

/** Grants a lease; its record. */
export async function grant(
  world: World,
  name: string,
  holder = 'h',
  claim: Parameters<typeof acquire>[1] = {},
): Promise<LeaseRecord> {
  const answer = await world.do({ ...acquire(holder, claim), name });
  if (answer.kind !== 'granted') {
    throw new Error(`${name} is busy`);
  }
  return answer.record;
}

export async function relabel(world: World, name: string, env: string): Promise<void> {
  await world.do({ ...update({ labels: { env } }), name });
}

/** `namespace/name` of each event. */
export function placesOf({ events }: WatchClient): string[] {
  return events.map(({ object: { metadata } }) => `${metadata.namespace!}/${metadata.name!}`);
}

export async function refusalOf(
  work: Promise<unknown>,
): Promise<{ code: number | undefined; message: string | undefined; reason: string | undefined }> {
  const error: unknown = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof StatusError)) {
    throw error instanceof Error ? error : new Error('Expected a refusal');
  }
  const { code, message, reason } = error.status;
  return { code, message, reason };
}
