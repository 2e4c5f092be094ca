import type { handleUnaryCall, ServerUnaryCall } from '@grpc/grpc-js';
import { invalidField, parseSelector, type Caller, type LeaseCoordinator, type LeaseRecord } from '@leasehold/core';
import type * as rpc from '@leasehold/proto/leasehold/v1/lease_service';
import type { Lease } from '@leasehold/proto/leasehold/v1/lease';
import type { HandlerContext } from './context.js';
import { optionalMs, requiredMs, toBusy, toDuration, toLease, toOptionalDuration, toOptionalMap } from './convert.js';
import { readPage } from './list-page.js';
import { toRefusal, toServiceError } from './status.js';

/** The handlers of all unary calls. Each translates the request into a command and the answer back, and nothing else. */
export type UnaryHandlers = Pick<rpc.LeaseServiceServer, UnaryName>;

type UnaryName =
  'acquire' | 'renew' | 'renewBatch' | 'release' | 'revoke' | 'validate' | 'get' | 'list' | 'create' | 'update' | 'delete';

export function createUnaryHandlers(context: HandlerContext): UnaryHandlers {
  const unary = <Q, R>(
    answer: (request: Q, coordinator: LeaseCoordinator, caller: () => Caller) => R | Promise<R>,
  ): handleUnaryCall<Q, R> => answerWith(context, answer);
  return {
    acquire: unary(acquire),
    renew: unary(renew),
    renewBatch: unary((request, coordinator) => renewBatch(request, coordinator, context)),
    release: unary(release),
    revoke: unary(revoke),
    validate: unary(validate),
    get: unary(get),
    list: unary((request, coordinator) => list(request, coordinator, context)),
    create: unary(create),
    update: unary(update),
    delete: unary(remove),
  };
}

async function acquire(
  request: rpc.AcquireRequest,
  coordinator: LeaseCoordinator,
  caller: () => Caller,
): Promise<rpc.AcquireResponse> {
  const { namespace, name, priority } = request;
  const claim = {
    holder: request.holder,
    acquireId: request.acquireId,
    durationMs: requiredMs('duration', request.duration),
    ...readMetadata(request),
  };
  const waitMs = optionalMs('wait', request.wait) ?? 0;
  const answer = await coordinator.submit({ kind: 'acquire', namespace, name, claim, waitMs, priority }, caller());
  if (answer.kind === 'busy') {
    return { outcome: { $case: 'busy', value: toBusy(answer.busy) } };
  }
  return { outcome: { $case: 'granted', value: live(answer.record, coordinator) } };
}

async function renew(request: rpc.RenewRequest, coordinator: LeaseCoordinator): Promise<rpc.RenewResponse> {
  // Before anything else: a renewal counts from when its bytes had been read.
  const readAtMs = coordinator.monotonicMs();
  const { namespace, name, holder, fencingToken } = request;
  const { record } = await coordinator.submit({ kind: 'renew', namespace, name, holder, fencingToken, readAtMs });
  const duration = toDuration(record.durationMs);
  return { remaining: duration, duration, resourceVersion: record.resourceVersion };
}

async function renewBatch(
  request: rpc.RenewBatchRequest,
  coordinator: LeaseCoordinator,
  { limits, log }: HandlerContext,
): Promise<rpc.RenewBatchResponse> {
  const { renewals } = request;
  if (renewals.length === 0 || renewals.length > limits.renewBatchMax) {
    throw invalidField('renewals', `must have 1 to ${limits.renewBatchMax} entries`, renewals.length);
  }
  const one = async (renewal: rpc.RenewRequest): Promise<rpc.RenewResult> => {
    try {
      return { outcome: { $case: 'renewed', value: await renew(renewal, coordinator) } };
    } catch (error) {
      return { outcome: { $case: 'refused', value: toRefusal(error, log) } };
    }
  };
  return { results: await Promise.all(renewals.map(one)) };
}

async function release(request: rpc.ReleaseRequest, coordinator: LeaseCoordinator): Promise<rpc.ReleaseResponse> {
  const { namespace, name, fencingToken, transferTo } = request;
  const { record, already } = await coordinator.submit({ kind: 'release', namespace, name, fencingToken, transferTo });
  return { lease: live(record, coordinator), alreadyReleased: already };
}

async function revoke(request: rpc.RevokeRequest, coordinator: LeaseCoordinator): Promise<rpc.RevokeResponse> {
  const { namespace, name, fencingToken, force, transferTo } = request;
  const graceMs = optionalMs('grace', request.grace) ?? 0;
  const answer = await coordinator.submit({ kind: 'revoke', namespace, name, fencingToken, graceMs, force, transferTo });
  return { lease: live(answer.record, coordinator), remaining: toDuration(answer.remainingMs) };
}

async function validate(request: rpc.ValidateRequest, coordinator: LeaseCoordinator): Promise<rpc.ValidateResponse> {
  const { namespace, name, fencingToken } = request;
  const { valid, record } = await coordinator.submit({ kind: 'validate', namespace, name, fencingToken });
  return { valid, lease: live(record, coordinator) };
}

async function get(request: rpc.GetRequest, coordinator: LeaseCoordinator): Promise<rpc.GetResponse> {
  if (!request.cached) {
    await coordinator.catchUp();
  }
  const { record, remainingMs } = coordinator.get(request.namespace, request.name);
  return { lease: toLease(record, remainingMs), revision: coordinator.revision };
}

async function list(
  request: rpc.ListRequest,
  coordinator: LeaseCoordinator,
  { limits }: HandlerContext,
): Promise<rpc.ListResponse> {
  if (!request.cached) {
    await coordinator.catchUp();
  }
  const { namespace, labelSelector, pageSize, pageToken } = request;
  const selector = parseSelector(labelSelector, limits);
  const page = readPage(coordinator, { namespace, selector, pageSize, pageToken });
  return {
    leases: page.leases.map(({ record, remainingMs }) => toLease(record, remainingMs)),
    nextPageToken: page.nextPageToken,
    revision: page.revision,
  };
}

async function create(request: rpc.CreateRequest, coordinator: LeaseCoordinator): Promise<rpc.CreateResponse> {
  const { namespace, name } = request;
  const { record } = await coordinator.submit({ kind: 'create', namespace, name, metadata: readMetadata(request) });
  return { lease: live(record, coordinator) };
}

async function update(request: rpc.UpdateRequest, coordinator: LeaseCoordinator): Promise<rpc.UpdateResponse> {
  const { namespace, name, resourceVersion, fencingToken, removeLabels, removeAnnotations } = request;
  const guards = { resourceVersion, fencingToken };
  const set = readMetadata(request);
  const { record } = await coordinator.submit({
    kind: 'update',
    namespace,
    name,
    ...guards,
    set,
    removeLabels,
    removeAnnotations,
  });
  return { lease: live(record, coordinator) };
}

async function remove(request: rpc.DeleteRequest, coordinator: LeaseCoordinator): Promise<rpc.DeleteResponse> {
  const { namespace, name, uid, fencingToken, resourceVersion, force } = request;
  const answer = await coordinator.submit({ kind: 'delete', namespace, name, uid, fencingToken, resourceVersion, force });
  return { lease: toLease(answer.record, undefined), reserved: toOptionalDuration(answer.reservedMs) };
}

/** Answers a call with what `answer` returns, or with the status of what it throws. */
function answerWith<Q, R>(
  { engine, log }: HandlerContext,
  answer: (request: Q, coordinator: LeaseCoordinator, caller: () => Caller) => R | Promise<R>,
): handleUnaryCall<Q, R> {
  return (call, callback) => {
    // What is thrown meets a handler that is there already: Node makes much of a rejection that nobody has waited for.
    void Promise.resolve()
      .then(() => answer(call.request, engine.current(), () => callerOf(call)))
      .then(
        (response) => {
          callback(null, response);
        },
        (error: unknown) => {
          callback(toServiceError(error, log));
        },
      );
  };
}

/** The caller is gone once the call is cancelled, by the client, its deadline or the end of its connection. */
function callerOf(call: ServerUnaryCall<unknown, unknown>): Caller {
  return {
    get gone() {
      return call.cancelled;
    },
    onGone(action) {
      call.once('cancelled', action);
    },
  };
}

/** A lease as it is now: the record, and how much time is left. */
function live(record: LeaseRecord, coordinator: LeaseCoordinator): Lease {
  return toLease(record, coordinator.remainingMs(record));
}

/** What callers write about a lease; what is empty or unset asks for nothing. */
function readMetadata(
  request: Pick<rpc.CreateRequest, 'labels' | 'annotations' | 'lockDelay' | 'keepAfterExpiry'>,
): ReadMetadata {
  return {
    labels: toOptionalMap(request.labels),
    annotations: toOptionalMap(request.annotations),
    lockDelayMs: optionalMs('lock_delay', request.lockDelay),
    keepAfterExpiryMs: optionalMs('keep_after_expiry', request.keepAfterExpiry),
  };
}

type ReadMetadata = Record<'labels' | 'annotations', Record<string, string> | undefined> &
  Record<'lockDelayMs' | 'keepAfterExpiryMs', number | undefined>;
