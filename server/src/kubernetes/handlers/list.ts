import { toObject } from '../convert.js';
import { readList, type LeasePage } from '../list/read-list.js';
import type { LeaseList } from '../objects.js';
import type { ApiAnswer, ApiRequest, LeaseTarget } from '../request.js';
import { checkListOptions, readListOptions } from '../selection/list-options.js';
import type { LeaseContext } from './context.js';
import { Reply } from './reply.js';

/** Lists leases, those of a namespace or all. */
export async function listLeases({ engine, clock }: LeaseContext, request: ApiRequest, target: LeaseTarget): Promise<ApiAnswer> {
  const reply = new Reply(request, clock);
  const options = readListOptions(request.query);
  checkListOptions(options);
  return reply.with(200, toList(await readList(engine.current(), target, options)));
}

/** A page as an object. */
export function toList({ records, metadata }: LeasePage): LeaseList {
  return { kind: 'LeaseList', apiVersion: 'coordination.k8s.io/v1', metadata, items: records.map(toObject) };
}
