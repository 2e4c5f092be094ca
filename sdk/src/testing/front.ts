import {
  type Caller,
  type Claim,
  type Clock,
  defaultLimits,
  invalidField,
  type LeaseCoordinator,
  type LeaseRecord,
  parseSelector,
  type Metadata as CoreMetadata,
} from '@leasehold/core';
import type * as plain from '../transport/transport.js';
import type { Lease, Renewed, Validity } from '../types.js';
import { toBusy, toEvent, toLease, toTimeLeft, toTypedError } from './convert.js';
import { HeartbeatEnd, type HeartbeatOut } from './heartbeat-end.js';

/** The server's end: takes requests in the SDK's words to the coordinator, as the gRPC server does with messages. */
export class Front {
  readonly clock: Clock;
  readonly #coordinator: LeaseCoordinator;
  readonly #heartbeats = new Set<HeartbeatEnd>();

  constructor(coordinator: LeaseCoordinator, clock: Clock) {
    this.#coordinator = coordinator;
    this.clock = clock;
  }

  async acquire(request: plain.AcquireRequest, caller: Caller): Promise<plain.AcquireAnswer> {
    const { namespace, name, holder, acquireId, waitMs, priority } = request;
    const claim: Claim = { holder, acquireId, durationMs: wholeMs(request.durationMs), ...metadataOf(request) };
    const command = { kind: 'acquire', namespace, name, claim, waitMs: wholeMs(waitMs), priority } as const;
    const answer = await this.#coordinator.submit(command, caller);
    if (answer.kind === 'busy') return { kind: 'busy', busy: toBusy(answer.busy) };
    return { kind: 'granted', lease: this.#live(answer.record) };
  }

  async renew(request: plain.RenewRequest): Promise<Renewed> {
    const readAtMs = this.#coordinator.monotonicMs();
    const { namespace, name, holder, fencingToken } = request;
    const { record } = await this.#coordinator.submit({ kind: 'renew', namespace, name, holder, fencingToken, readAtMs });
    return { remainingMs: record.durationMs, durationMs: record.durationMs, resourceVersion: record.resourceVersion };
  }

  async renewBatch(requests: readonly plain.RenewRequest[]): Promise<readonly plain.RenewResult[]> {
    const max = defaultLimits.renewBatchMax;
    if (requests.length === 0 || requests.length > max) {
      throw invalidField('renewals', `must have 1 to ${max} entries`, requests.length);
    }
    return Promise.all(
      requests.map((request) =>
        this.renew(request).then(
          (renewed) => ({ renewed }),
          (error: unknown) => ({ error: toTypedError(error) }),
        ),
      ),
    );
  }

  async release({ namespace, name, fencingToken, transferTo }: plain.ReleaseRequest): Promise<plain.Released> {
    const command = { kind: 'release', namespace, name, fencingToken, transferTo } as const;
    const { record, already } = await this.#coordinator.submit(command);
    return { lease: this.#live(record), alreadyReleased: already };
  }

  async revoke(request: plain.RevokeRequest): Promise<plain.Revoked> {
    const { namespace, name, fencingToken, transferTo, force } = request;
    const graceMs = wholeMs(request.graceMs);
    const command = { kind: 'revoke', namespace, name, fencingToken, graceMs, force, transferTo } as const;
    const { record, remainingMs } = await this.#coordinator.submit(command);
    return { lease: this.#live(record), remainingMs: toTimeLeft(remainingMs) };
  }

  async validate({ namespace, name, fencingToken }: plain.TokenRequest): Promise<Validity> {
    const { valid, record } = await this.#coordinator.submit({ kind: 'validate', namespace, name, fencingToken });
    return { valid, lease: this.#live(record) };
  }

  // eslint-disable-next-line @typescript-eslint/require-await -- What it throws is the answer.
  async get({ namespace, name }: plain.GetRequest): Promise<Lease> {
    const { record, remainingMs } = this.#coordinator.get(namespace, name);
    return toLease(record, remainingMs);
  }

  // eslint-disable-next-line @typescript-eslint/require-await -- What it throws is the answer.
  async list({ namespace, labelSelector, pageSize, pageToken }: plain.ListRequest): Promise<plain.ListAnswer> {
    const selector = parseSelector(labelSelector, defaultLimits);
    const page = this.#coordinator.list({ namespace, selector, pageSize, pageToken });
    const leases = page.leases.map(({ record, remainingMs }) => toLease(record, remainingMs));
    return { leases, revision: page.revision, nextPageToken: page.nextPageToken };
  }

  async create(request: plain.CreateRequest): Promise<Lease> {
    const { namespace, name } = request;
    const command = { kind: 'create', namespace, name, metadata: metadataOf(request) } as const;
    return this.#live((await this.#coordinator.submit(command)).record);
  }

  async update(request: plain.UpdateRequest): Promise<Lease> {
    const { namespace, name, resourceVersion, fencingToken, removeLabels, removeAnnotations } = request;
    const guards = { resourceVersion, fencingToken };
    const removals = { removeLabels, removeAnnotations };
    const command = { kind: 'update', namespace, name, ...guards, set: metadataOf(request), ...removals } as const;
    return this.#live((await this.#coordinator.submit(command)).record);
  }

  async delete({ namespace, name, uid, fencingToken, resourceVersion, force }: plain.DeleteRequest): Promise<plain.Deleted> {
    const command = { kind: 'delete', namespace, name, uid, fencingToken, resourceVersion, force } as const;
    const { record, reservedMs } = await this.#coordinator.submit(command);
    return { lease: toLease(record, undefined), reservedMs: reservedMs === undefined ? undefined : toTimeLeft(reservedMs) };
  }

  /** @returns what ends the watch. @throws {LeaseError} */
  watch(request: plain.WatchRequest, out: WatchOut): () => void {
    const { namespace, name, labelSelector, fromRevision, includeRenewals } = request;
    if (fromRevision < 0n) throw invalidField('from_revision', 'must not be negative', fromRevision);
    const selector = parseSelector(labelSelector, defaultLimits);
    const query = { namespace, name, selector, fromRevision, includeRenewals };
    const watch = this.#coordinator.watch(query, {
      write: ({ events, revision }) => {
        out.onMessage({ events: events.map(toEvent), revision });
        return true;
      },
      end: (error) => {
        out.onEnd(error);
      },
    });
    return () => {
      watch.close();
    };
  }

  heartbeat(out: HeartbeatOut): HeartbeatEnd {
    const end = new HeartbeatEnd(this.#coordinator, this.clock, out, () => this.#heartbeats.delete(end));
    this.#heartbeats.add(end);
    return end;
  }

  /** Ends in order: what was answered is told first, then that the server drains. */
  async drain(draining: Error): Promise<void> {
    for (const end of [...this.#heartbeats]) end.finish(draining);
    await this.#coordinator.drain();
  }

  #live(record: LeaseRecord): Lease {
    return toLease(record, this.#coordinator.remainingMs(record));
  }
}

/** Where a watch writes to. */
export interface WatchOut {
  onMessage(message: plain.WatchMessage): void;
  onEnd(error: Error): void;
}

/** A part of a millisecond rounds up, as on the wire. */
function wholeMs(ms: number): number {
  return Math.ceil(ms);
}

/** What is empty asks for nothing, as on the wire. */
function metadataOf({ labels, annotations, lockDelayMs, keepAfterExpiryMs }: plain.Metadata): CoreMetadata {
  return {
    labels: filled(labels),
    annotations: filled(annotations),
    lockDelayMs: lockDelayMs === undefined ? undefined : wholeMs(lockDelayMs),
    keepAfterExpiryMs: keepAfterExpiryMs === undefined ? undefined : wholeMs(keepAfterExpiryMs),
  };
}

function filled(map: Readonly<Record<string, string>> | undefined): Readonly<Record<string, string>> | undefined {
  return map === undefined || Object.keys(map).length === 0 ? undefined : { ...map };
}
