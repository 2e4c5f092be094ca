import { credentials, type ChannelOptions, type ServiceError } from '@grpc/grpc-js';
import {
  LeaseServiceClient,
  type AcquireRequest,
  type AcquireResponse,
  type ReleaseRequest,
  type ReleaseResponse,
} from '@leasehold/proto/leasehold/v1/lease_service';
import { onTestFinished } from 'vitest';

/** The generated client on a connection of its own; it is closed when the test ends. */
export function wireClient(address: string, options: ChannelOptions = {}): LeaseServiceClient {
  const client = new LeaseServiceClient(address, credentials.createInsecure(), {
    'grpc.use_local_subchannel_pool': 1,
    'grpc.per_rpc_retry_buffer_size': 0,
    ...options,
  });
  onTestFinished(() => {
    client.close();
  });
  return client;
}

export function seconds(value: number): { seconds: bigint; nanos: number } {
  return { seconds: BigInt(Math.floor(value)), nanos: Math.round((value % 1) * 1e9) };
}

export function acquireRequest(parts: Partial<AcquireRequest> & Pick<AcquireRequest, 'name' | 'holder'>): AcquireRequest {
  return {
    namespace: 'default',
    duration: seconds(15),
    acquireId: '',
    wait: undefined,
    priority: 0,
    labels: {},
    annotations: {},
    lockDelay: undefined,
    keepAfterExpiry: undefined,
    ...parts,
  };
}

/** An Acquire under way, which can be given up. */
export interface Acquiring {
  readonly answer: Promise<AcquireResponse>;
  cancel(): void;
}

export function acquire(client: LeaseServiceClient, request: AcquireRequest): Acquiring {
  let cancel: () => void = () => undefined;
  const answer = new Promise<AcquireResponse>((resolve, reject) => {
    const call = client.acquire(request, (error: ServiceError | null, response: AcquireResponse) => {
      if (error === null) {
        resolve(response);
      } else {
        reject(error);
      }
    });
    cancel = () => {
      call.cancel();
    };
  });
  return { answer, cancel };
}

/** The fencing token of a grant; fails when it is none. */
export async function grantOf(acquiring: Acquiring): Promise<bigint> {
  const { outcome } = await acquiring.answer;
  if (outcome?.$case !== 'granted') {
    throw new Error(`Expected a grant, got busy with ${outcome?.value.holder ?? 'nobody'}`);
  }
  return outcome.value.fencingToken;
}

export function release(client: LeaseServiceClient, name: string, fencingToken: bigint): Promise<ReleaseResponse> {
  const request: ReleaseRequest = { namespace: 'default', name, fencingToken, transferTo: '' };
  return new Promise((resolve, reject) => {
    client.release(request, (error, response) => {
      if (error === null) {
        resolve(response);
      } else {
        reject(error);
      }
    });
  });
}
