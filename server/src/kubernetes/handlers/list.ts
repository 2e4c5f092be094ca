import { readList } from '../list/read-list.js';
import type { ApiAnswer, ApiRequest, LeaseTarget } from '../request.js';
import { checkListOptions, readListOptions } from '../selection/list-options.js';
import type { LeaseContext } from './context.js';
import { Reply } from './reply.js';

/** Lists leases, those of a namespace or all. */
export async function listLeases({ engine, clock }: LeaseContext, request: ApiRequest, target: LeaseTarget): Promise<ApiAnswer> {
  const reply = new Reply(request, clock);
  const options = readListOptions(request.query);
  checkListOptions(options);
  return reply.withList(await readList(engine.current(), target, options));
}
