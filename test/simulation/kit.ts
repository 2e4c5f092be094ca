import type * as core from '@leasehold/core';
import type * as sdk from '@leasehold/sdk';
import type * as client from '../../server/dist/store/etcd/client.js';
import type * as drain from '../../server/dist/drain.js';
import type * as engine from '../../server/dist/engine.js';
import type * as heartbeats from '../../server/dist/grpc/heartbeat-stream.js';
import type * as keys from '../../server/dist/store/etcd/keys.js';
import type * as status from '../../server/dist/grpc/status.js';
import type * as store from '../../server/dist/store/etcd/store.js';
import type * as transport from '../../sdk/dist/transport/grpc.js';
import type * as turns from '../../server/dist/grpc/attach-turns.js';
import type * as unary from '../../server/dist/grpc/unary.js';

/** The parts of core, the server and the SDK that a run uses: as built, or a mutated copy. */
export interface Kit {
  readonly startCoordinator: typeof core.startCoordinator;
  readonly Engine: typeof engine.Engine;
  readonly EtcdStore: typeof store.EtcdStore;
  readonly EtcdError: typeof client.EtcdError;
  readonly Keys: typeof keys.Keys;
  readonly createUnaryHandlers: typeof unary.createUnaryHandlers;
  readonly AttachTurns: typeof turns.AttachTurns;
  readonly HeartbeatStream: typeof heartbeats.HeartbeatStream;
  readonly toServiceError: typeof status.toServiceError;
  readonly drain: typeof drain.drain;
  readonly createClient: typeof sdk.createClient;
  readonly GrpcTransport: typeof transport.GrpcTransport;
}

/** Where the packages are; those that are not named, where they are built. */
export interface Packages {
  readonly core?: URL;
  readonly server?: URL;
  readonly sdk?: URL;
}

const root = new URL('../../', import.meta.url);

/** Loads the packages. */
export async function loadKit(packages: Packages = {}): Promise<Kit> {
  const { core = new URL('core/', root), server = new URL('server/', root), sdk = new URL('sdk/', root) } = packages;
  const load = async (from: URL, file: string): Promise<Kit> => (await import(new URL(`dist/${file}`, from).href)) as Kit;
  const { startCoordinator } = await load(core, 'index.js');
  const { Engine } = await load(server, 'engine.js');
  const { EtcdStore } = await load(server, 'store/etcd/store.js');
  const { EtcdError } = await load(server, 'store/etcd/client.js');
  const { Keys } = await load(server, 'store/etcd/keys.js');
  const { createUnaryHandlers } = await load(server, 'grpc/unary.js');
  const { AttachTurns } = await load(server, 'grpc/attach-turns.js');
  const { HeartbeatStream } = await load(server, 'grpc/heartbeat-stream.js');
  const { toServiceError } = await load(server, 'grpc/status.js');
  const { drain } = await load(server, 'drain.js');
  const { createClient } = await load(sdk, 'index.js');
  const { GrpcTransport } = await load(sdk, 'transport/grpc.js');
  return {
    ...{ startCoordinator, Engine, EtcdStore, EtcdError, Keys },
    ...{ createUnaryHandlers, AttachTurns, HeartbeatStream, toServiceError, drain },
    ...{ createClient, GrpcTransport },
  };
}
