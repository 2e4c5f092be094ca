import { type CallOptions, Metadata, type ServiceError } from '@grpc/grpc-js';
import type {
  HeartbeatAttached as WireAttached,
  HeartbeatResponse,
  LeaseServiceClient,
} from '@leasehold/proto/leasehold/v1/lease_service';
import { type LeaseholdError, UnavailableError } from '../errors.js';
import { toLossReason, toMs, toOptionalMs, toRefusal, unexpected } from './convert.js';
import { fromServiceError, fromStatus } from './status.js';
import type { HeartbeatAnswer, HeartbeatAttached, HeartbeatSink, HeartbeatStream } from './transport.js';

/** Opens the Heartbeat stream of a client, which ends with it. */
export function openHeartbeat(client: LeaseServiceClient, options: CallOptions, sink: HeartbeatSink): HeartbeatStream {
  const stream = client.heartbeat(new Metadata(), options);
  let over = false;

  const finish = (): boolean => {
    if (over) return false;
    over = true;
    stream.cancel();
    client.close();
    return true;
  };
  const fail = (error: LeaseholdError): void => {
    if (finish()) sink.onEnd(error);
  };

  stream.on('data', (response: HeartbeatResponse) => {
    if (!over) sink.onAnswer(toAnswer(response));
  });
  stream.on('error', (error: ServiceError) => {
    fail(fromServiceError(error));
  });
  stream.on('end', () => {
    const message = 'The server ended the heartbeat stream';
    fail(new UnavailableError({ code: 'UNAVAILABLE', reason: 'STREAM_ENDED', message, retryable: true }));
  });

  return {
    send: ({ sequence, handles, attach, detach }) => {
      // Beats are small and few: a stream that does not take them is given up by whoever misses its answers.
      if (!over) stream.write({ sequence: BigInt(sequence), handles, all: false, attach, detach });
    },
    close: () => {
      finish();
    },
  };
}

function toAnswer(response: HeartbeatResponse): HeartbeatAnswer {
  return {
    acknowledged: Number(response.acknowledged),
    attached: response.attached.map(toAttached),
    durations: response.durations.map(({ handle, duration }) => ({ handle, durationMs: toMs(duration) })),
    lost: response.lost.map(({ handle, reason, holder, fencingToken, grace }) => ({
      handle,
      reason: toLossReason(reason),
      holder,
      fencingToken,
      graceMs: toOptionalMs(grace),
    })),
    excepted: response.excepted.map(({ handle, sequence, refusal }) => ({
      handle,
      sequence: Number(sequence),
      refusal: toRefusal(refusal),
    })),
    draining: response.draining,
  };
}

function toAttached({ sequence, index, outcome }: WireAttached): HeartbeatAttached {
  return { sequence: Number(sequence), index, outcome: toOutcome(outcome) };
}

function toOutcome(outcome: WireAttached['outcome']): HeartbeatAttached['outcome'] {
  switch (outcome?.$case) {
    case 'handle': {
      const { handle, duration, remaining } = outcome.value;
      return { kind: 'handle', handle, durationMs: toMs(duration), remainingMs: toMs(remaining) };
    }
    case 'refused':
      return { kind: 'refused', error: fromStatus(outcome.value) };
    case undefined:
      return { kind: 'refused', error: unexpected('an outcome of the attach', 'none') };
  }
}
