import { deleteLeases } from './handlers/delete-collection.js';
import { deleteLease } from './handlers/delete.js';
import type { LeaseContext, LeaseName } from './handlers/context.js';
import { getLease } from './handlers/get.js';
import { listLeases } from './handlers/list.js';
import { patchLease } from './handlers/patch.js';
import { postLease } from './handlers/create.js';
import { putLease } from './handlers/update.js';
import type { LeaseApi, StreamAnswer } from './lease-api.js';
import { Slots } from './list/slots.js';
import type { ApiAnswer, ApiRequest, LeaseTarget } from './request.js';
import { catchUp } from './versions.js';
import { watchLeases } from './watch/watch-leases.js';

/** Leases as the Kubernetes API has them, over the coordinator that gRPC works with as well. */
export class LeaseService implements LeaseApi {
  readonly #context: LeaseContext;

  constructor(context: Omit<LeaseContext, 'longLists'>) {
    this.#context = { ...context, longLists: new Slots(longListsMax) };
  }

  async get(request: ApiRequest, target: LeaseTarget): Promise<ApiAnswer> {
    return getLease(await this.#caughtUp(request), request, nameOf(target));
  }

  async list(request: ApiRequest, target: LeaseTarget): Promise<ApiAnswer> {
    return listLeases(await this.#caughtUp(request), request, target);
  }

  async create(request: ApiRequest, target: LeaseTarget): Promise<ApiAnswer> {
    return postLease(await this.#caughtUp(request), request, nameOf(target).namespace);
  }

  async update(request: ApiRequest, target: LeaseTarget): Promise<ApiAnswer> {
    return putLease(await this.#caughtUp(request), request, nameOf(target));
  }

  async patch(request: ApiRequest, target: LeaseTarget): Promise<ApiAnswer> {
    return patchLease(await this.#caughtUp(request), request, nameOf(target));
  }

  async delete(request: ApiRequest, target: LeaseTarget): Promise<ApiAnswer> {
    return deleteLease(await this.#caughtUp(request), request, nameOf(target));
  }

  async deleteCollection(request: ApiRequest, target: LeaseTarget): Promise<ApiAnswer> {
    return deleteLeases(await this.#caughtUp(request), request, target);
  }

  async watch(request: ApiRequest, target: LeaseTarget, stream: StreamAnswer): Promise<void> {
    return watchLeases(await this.#caughtUp(request), request, target, stream);
  }

  async #caughtUp(request: ApiRequest): Promise<LeaseContext> {
    await catchUp(this.#context.engine.current(), request);
    return this.#context;
  }
}

/** How many long lists are written at once. More would not be done earlier. */
const longListsMax = 8;

/** What the routes have checked to be there. */
function nameOf({ namespace = '', name = '', askToCreate }: LeaseTarget): LeaseName {
  return { namespace, name, askToCreate };
}
