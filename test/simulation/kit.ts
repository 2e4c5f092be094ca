import type * as core from '@leasehold/core';
import type * as client from '../../server/dist/store/etcd/client.js';
import type * as engine from '../../server/dist/engine.js';
import type * as keys from '../../server/dist/store/etcd/keys.js';
import type * as store from '../../server/dist/store/etcd/store.js';

/** The parts of core and the server that a run uses: as built, or a mutated copy. */
export interface Kit {
  readonly startCoordinator: typeof core.startCoordinator;
  readonly Engine: typeof engine.Engine;
  readonly EtcdStore: typeof store.EtcdStore;
  readonly EtcdError: typeof client.EtcdError;
  readonly Keys: typeof keys.Keys;
}

/** Loads the packages under a directory. */
export async function loadKit(core: URL, server: URL): Promise<Kit> {
  const load = async <T>(from: URL, file: string): Promise<T> => (await import(new URL(file, from).href)) as T;
  const { startCoordinator } = await load<Kit>(core, 'dist/index.js');
  const { Engine } = await load<Kit>(server, 'dist/engine.js');
  const { EtcdStore } = await load<Kit>(server, 'dist/store/etcd/store.js');
  const { EtcdError } = await load<Kit>(server, 'dist/store/etcd/client.js');
  const { Keys } = await load<Kit>(server, 'dist/store/etcd/keys.js');
  return { startCoordinator, Engine, EtcdStore, EtcdError, Keys };
}
