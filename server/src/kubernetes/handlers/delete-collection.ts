import type { LeaseRecord } from '@leasehold/core';
import { readList } from '../list/read-list.js';
import type { DeleteOptions } from '../objects.js';
import type { ApiAnswer, ApiRequest, LeaseTarget } from '../request.js';
import { checkListOptions, readListOptions } from '../selection/list-options.js';
import { StatusError } from '../status.js';
import type { LeaseContext } from './context.js';
import { readDeleteOptions } from './delete-options.js';
import { removeLease } from './delete.js';
import { Reply } from './reply.js';

/**
 * Deletes the leases of a namespace that a list with the same query would show, and shows them as they were. Each goes by itself: if one
 * cannot, others are gone.
 */
export async function deleteLeases(context: LeaseContext, request: ApiRequest, target: LeaseTarget): Promise<ApiAnswer> {
  const reply = new Reply(request, context.clock);
  const options = readListOptions(request.query);
  checkListOptions(options);
  const deletion = readDeleteOptions(request);
  // As a page, so that a version is taken for that very one.
  const page = await readList(context.engine.current(), target, { ...options, limit: options.limit ?? Number.MAX_SAFE_INTEGER });
  for (let start = 0; start < page.records.length; start += atOnce) {
    const chunk = page.records.slice(start, start + atOnce);
    await Promise.all(chunk.map((record) => removeIfThere(context, record, deletion)));
  }
  return reply.withList(page, context.longLists);
}

/** How many deletions are under way: enough to fill commits, and far from the bound that others share. */
const atOnce = 1000;

async function removeIfThere(context: LeaseContext, record: LeaseRecord, options: DeleteOptions): Promise<void> {
  try {
    await removeLease(context, record, options);
  } catch (error) {
    if (!(error instanceof StatusError && error.status.reason === 'NotFound')) throw error;
  }
}
