import { readList } from '../list/read-list.js';
import { negotiateList } from '../negotiate.js';
import type { ApiAnswer, ApiRequest, LeaseTarget } from '../request.js';
import { checkListOptions, readListOptions } from '../selection/list-options.js';
import type { LeaseContext } from './context.js';
import { Reply } from './reply.js';

/** Lists leases, those of a namespace or all. */
export async function listLeases(context: LeaseContext, request: ApiRequest, target: LeaseTarget): Promise<ApiAnswer> {
  const { engine, clock, longLists } = context;
  const reply = new Reply(request, clock, negotiateList);
  const options = readListOptions(request.query);
  checkListOptions(options);
  return reply.withList(await readList(engine.current(), target, options), longLists);
}
