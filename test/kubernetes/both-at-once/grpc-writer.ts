import { setTimeout as sleep } from 'node:timers/promises';
import {
  AcquireRequest,
  CreateRequest,
  DeleteRequest,
  ReleaseRequest,
  RevokeRequest,
  UpdateRequest,
  type AcquireResponse,
  type LeaseServiceClient,
} from '@leasehold/proto/leasehold/v1/lease_service';
import { ErrorInfo } from '@leasehold/proto/google/rpc/error_details';
import type { Status } from '@leasehold/proto/google/rpc/status';
import type { Lease } from '@leasehold/proto/leasehold/v1/lease';
import type { ServiceError } from '@grpc/grpc-js';
import type { Chance } from '../../support/chance.js';
import { call, readRefusal, seconds, TestHeartbeat } from '../../server/support.js';
import type { Answered, Refusal } from './history.js';
import { ofGrpc } from './shown.js';
import { Writer, type Stage } from './stage.js';

/** A lease that this writer has. */
interface Held {
  readonly token: bigint;
  readonly durationMs: number;
  handle: number | undefined;
}

/** Works on leases over gRPC. */
export class GrpcWriter extends Writer {
  readonly #client: LeaseServiceClient;
  readonly #heartbeat: TestHeartbeat;
  readonly #held = new Map<string, Held>();
  /** Tokens of tenures that are over, for requests that come too late. */
  readonly #old = new Map<string, bigint>();

  constructor(name: string, stage: Stage, chance: Chance, client: LeaseServiceClient) {
    super(name, stage, chance);
    this.#client = client;
    this.#heartbeat = new TestHeartbeat(client);
  }

  protected act(any: string): Promise<void> {
    // Who has something looks after that.
    const name = this.#held.size > 0 && this.chance.next() < 0.7 ? this.chance.pick([...this.#held.keys()]) : any;
    const held = this.#held.get(name);
    if (held === undefined) return this.#want(name);
    switch (this.chance.draw({ renew: 4, beat: 4, update: 2, release: 2, transfer: 2, forget: 1 })) {
      case 'renew':
        return this.#renew(name, held);
      case 'beat':
        return this.#beat(name, held);
      case 'update':
        return this.#update(name, held.token);
      case 'release':
        return this.#release(name, held.token, '');
      case 'transfer':
        return this.#release(name, held.token, this.chance.pick(this.stage.holders));
      case 'forget':
        this.#forget(name);
        return this.#want(name);
    }
  }

  async #want(name: string): Promise<void> {
    const old = this.#old.get(name);
    switch (
      this.chance.draw({
        acquire: 6,
        wait: 4,
        get: 3,
        update: 2,
        create: 1,
        revoke: 1,
        delete: 0.6,
        late: old === undefined ? 0 : 1,
      })
    ) {
      case 'acquire':
        return this.#acquire(name, 0);
      case 'wait':
        return this.#acquire(name, 50 + 300 * this.chance.next());
      case 'get':
        await this.#get(name);
        return;
      case 'update':
        return this.#update(name, undefined);
      case 'create':
        return this.#create(name);
      case 'revoke':
        return this.#revoke(name);
      case 'delete':
        return this.#delete(name);
      case 'late':
        return this.chance.draw({ renew: 1, release: 1 }) === 'renew'
          ? this.#renew(name, { token: old ?? 0n, durationMs: 0, handle: undefined })
          : this.#release(name, old ?? 0n, '');
    }
  }

  async #acquire(name: string, waitMs: number): Promise<void> {
    const durationMs = this.chance.pick([400, 1200]);
    const request = {
      ...AcquireRequest.fromPartial({ namespace: 'default', name, holder: this.name, acquireId: this.mark() }),
      ...{ duration: seconds(durationMs / 1000), wait: seconds(waitMs / 1000) },
    };
    const sentMs = performance.now();
    const ask = async (): Promise<Answered> => grantOrBusy(await call(this.#client, 'acquire', request));
    const answer = await this.#noted(name, { kind: 'acquire', holder: this.name }, ask);
    if (answer.kind !== 'shown') return;
    const { token } = answer.lease;
    this.#held.set(name, { token, durationMs, handle: undefined });
    // What came after waiting counts from nothing: belief begins with the first renewal.
    if (waitMs === 0) this.stage.beliefs.renewed(this.name, name, token, sentMs + durationMs);
  }

  async #renew(name: string, { token, durationMs }: Held): Promise<void> {
    const sentMs = performance.now();
    const request = { namespace: 'default', name, holder: this.name, fencingToken: token };
    const answer = await this.#noted(name, { kind: 'renew', holder: this.name, token }, async () => {
      const { resourceVersion } = await call(this.#client, 'renew', request);
      return { kind: 'renewed', version: resourceVersion };
    });
    if (answer.kind === 'renewed') this.stage.beliefs.renewed(this.name, name, token, sentMs + durationMs);
    else this.#forget(name);
  }

  /** Attaches the lease, or beats if it is attached. */
  async #beat(name: string, held: Held): Promise<void> {
    const { token, durationMs, handle } = held;
    const sentMs = performance.now();
    if (handle === undefined) {
      const answer = await this.#noted(name, { kind: 'attach', holder: this.name, token }, () => this.#attach(name, held));
      if (answer.kind === 'attached') this.stage.beliefs.renewed(this.name, name, token, sentMs + durationMs);
      else this.#forget(name);
      return;
    }
    const { received } = this.#heartbeat;
    const first = received.length;
    await this.#heartbeat.acknowledged(this.#heartbeat.send({ handles: [handle] }));
    const inVain = received.slice(first).some(({ excepted }) => excepted.some((exception) => exception.handle === handle));
    const lost = received.some((message) => message.lost.some((loss) => loss.handle === handle));
    if (!inVain && !lost) this.stage.beliefs.renewed(this.name, name, token, sentMs + durationMs);
    if (lost) this.#forget(name);
  }

  async #attach(name: string, held: Held): Promise<Answered> {
    const sequence = this.#heartbeat.send({
      attach: [{ namespace: 'default', name, holder: this.name, fencingToken: held.token }],
    });
    const { outcome } = await this.#heartbeat.until((received) =>
      received.flatMap(({ attached }) => attached).find((one) => one.sequence === sequence),
    );
    if (outcome?.$case !== 'handle') return { kind: 'refused', why: reasonOf(outcome?.value) };
    held.handle = outcome.value.handle;
    return { kind: 'attached' };
  }

  async #release(name: string, token: bigint, transferTo: string): Promise<void> {
    this.stage.beliefs.ended(token, performance.now());
    const request = ReleaseRequest.fromPartial({ namespace: 'default', name, fencingToken: token, transferTo });
    await this.#noted(name, { kind: 'release', token }, async () => {
      const { lease, alreadyReleased } = await call(this.#client, 'release', request);
      return { ...shown(lease), repeated: alreadyReleased };
    });
    this.#forget(name);
  }

  async #update(name: string, token: bigint | undefined): Promise<void> {
    const labels = { grpc: this.mark() };
    const request = UpdateRequest.fromPartial({ namespace: 'default', name, labels, fencingToken: token ?? 0n });
    await this.#noted(name, { kind: 'update', labels, token }, async () =>
      shown((await call(this.#client, 'update', request)).lease),
    );
  }

  async #create(name: string): Promise<void> {
    const labels = { made: this.mark() };
    const request = CreateRequest.fromPartial({ namespace: 'default', name, labels });
    await this.#noted(name, { kind: 'create', labels }, async () => shown((await call(this.#client, 'create', request)).lease));
  }

  async #revoke(name: string): Promise<void> {
    const lease = await this.#get(name);
    if (lease?.state !== 'HELD') return;
    const { token } = lease;
    const request = RevokeRequest.fromPartial({ namespace: 'default', name, fencingToken: token });
    await this.#noted(name, { kind: 'revoke', token }, async () => shown((await call(this.#client, 'revoke', request)).lease));
  }

  async #delete(name: string): Promise<void> {
    const lease = await this.#get(name);
    if (lease === undefined) return;
    const { uid } = lease;
    await this.#noted(name, { kind: 'delete', uid }, async () => {
      const { lease: gone } = await call(this.#client, 'delete', DeleteRequest.fromPartial({ namespace: 'default', name, uid }));
      return { kind: 'gone', uid: gone?.uid ?? '', version: gone?.resourceVersion };
    });
  }

  async #get(name: string): Promise<Extract<Answered, { kind: 'shown' }>['lease'] | undefined> {
    const request = { namespace: 'default', name, cached: false };
    const answer = await this.#noted(name, { kind: 'get' }, async () => shown((await call(this.#client, 'get', request)).lease));
    return answer.kind === 'shown' ? answer.lease : undefined;
  }

  #forget(name: string): void {
    const held = this.#held.get(name);
    if (held !== undefined) this.#old.set(name, held.token);
    this.#held.delete(name);
  }

  /** Notes a refusal as the answer that it is. */
  async #noted(name: string, asked: Parameters<Writer['note']>[1], work: () => Promise<Answered>): Promise<Answered> {
    const answer = await this.note(name, asked, () => work().catch(refusalOf));
    // Somebody who works for a living does something between two requests.
    await sleep(this.chance.between(0, 60));
    return answer;
  }
}

function grantOrBusy({ outcome }: AcquireResponse): Answered {
  if (outcome?.$case === 'granted') return shown(outcome.value);
  return { kind: 'busy', holder: outcome?.value.holder ?? '', token: outcome?.value.fencingToken ?? 0n };
}

function shown(lease: Lease | undefined): Extract<Answered, { kind: 'shown' }> {
  if (lease === undefined) throw new Error('An answer without a lease');
  return { kind: 'shown', lease: ofGrpc(lease) };
}

const refusals: ReadonlySet<string> = new Set<Refusal>([
  ...([
    'LEASE_NOT_FOUND',
    'LEASE_EXISTS',
    'LEASE_LOST',
    'LEASE_EXPIRED',
    'LEASE_REVOKED',
    'NAME_RESERVED',
    'NOT_WAITING',
  ] as const),
]);

/** Why an attach was refused. @throws it is not said. */
function reasonOf(status: Status | undefined): Refusal {
  const info = status?.details.find(({ typeUrl }) => typeUrl.endsWith('/google.rpc.ErrorInfo'));
  const reason = info === undefined ? '' : ErrorInfo.decode(info.value).reason;
  if (!refusals.has(reason)) throw new Error(`An attach was refused: ${status?.message ?? ''}`);
  return reason as Refusal;
}

/** @throws what was not to be expected. */
function refusalOf(error: ServiceError): Answered {
  const { reason } = readRefusal(error);
  if (!refusals.has(reason)) throw error;
  return { kind: 'refused', why: reason as Refusal };
}
