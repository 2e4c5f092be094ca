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
import { watchLeases } from './watch/watch-leases.js';

/** Leases as the Kubernetes API has them, over the coordinator that gRPC works with as well. */
export class LeaseService implements LeaseApi {
  readonly #context: LeaseContext;

  constructor(context: Omit<LeaseContext, 'longLists'>) {
    this.#context = { ...context, longLists: new Slots(longListsMax) };
  }

  get(request: ApiRequest, target: LeaseTarget): Promise<ApiAnswer> {
    return getLease(this.#context, request, nameOf(target));
  }

  list(request: ApiRequest, target: LeaseTarget): Promise<ApiAnswer> {
    return listLeases(this.#context, request, target);
  }

  create(request: ApiRequest, target: LeaseTarget): Promise<ApiAnswer> {
    return postLease(this.#context, request, nameOf(target).namespace);
  }

  update(request: ApiRequest, target: LeaseTarget): Promise<ApiAnswer> {
    return putLease(this.#context, request, nameOf(target));
  }

  patch(request: ApiRequest, target: LeaseTarget): Promise<ApiAnswer> {
    return patchLease(this.#context, request, nameOf(target));
  }

  delete(request: ApiRequest, target: LeaseTarget): Promise<ApiAnswer> {
    return deleteLease(this.#context, request, nameOf(target));
  }

  deleteCollection(request: ApiRequest, target: LeaseTarget): Promise<ApiAnswer> {
    return deleteLeases(this.#context, request, target);
  }

  watch(request: ApiRequest, target: LeaseTarget, stream: StreamAnswer): Promise<void> {
    return watchLeases(this.#context, request, target, stream);
  }
}

/** How many long lists are written at once. More would not be done earlier. */
const longListsMax = 8;

/** What the routes have checked to be there. */
function nameOf({ namespace = '', name = '', askToCreate }: LeaseTarget): LeaseName {
  return { namespace, name, askToCreate };
}
