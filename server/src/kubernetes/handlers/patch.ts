import { inPlace, withOwnersOnce } from '../admission.js';
import { unsupportedMediaType } from '../codec/media-type.js';
import type { LiveLease } from '../convert.js';
import type { ApiAnswer, ApiRequest } from '../request.js';
import { leaseConflict, leaseNotFound, StatusError, warned } from '../status.js';
import { ownerWarnings } from './changes.js';
import type { LeaseContext, LeaseName } from './context.js';
import { applyPatch, applyType, patches } from './patch-changes.js';
import { Reply } from './reply.js';
import { readWriteOptions } from './write-options.js';
import { writeLease, type Changed } from './write.js';

/**
 * Changes a lease by a patch of one of four kinds. It is made again if somebody else has written meanwhile, so that only a patch that
 * names a version meets a conflict. What is applied (`kubectl apply --server-side`) creates what is not there.
 */
export async function patchLease(context: LeaseContext, request: ApiRequest, lease: LeaseName): Promise<ApiAnswer> {
  const { clock } = context;
  const type = patchTypeOf(request);
  const patch = patches.get(type);
  const reply = new Reply(request, clock);
  const { dryRun, ...options } = readWriteOptions(request, patch === undefined ? 'apply' : 'patch');
  const sent = { ...options, clock, body: request.body };
  const change = (live: LiveLease | undefined): Changed => {
    if (patch === undefined) return applyPatch(sent, live);
    if (live === undefined) throw leaseNotFound(lease.name);
    return patch(sent, live);
  };
  const written = await writeLease(context, { request, lease, dryRun, change: (live) => placed(change(live), lease, live) });
  return reply.with(written.created ? 201 : 200, written.object, written.warnings);
}

/** What kind of patch it is. kube-apiserver looks twice, and words it differently. @throws {StatusError} 415 */
export function patchTypeOf({ header }: ApiRequest): string {
  const types = [...patches.keys(), applyType];
  const [type = '', ...others] = (header('content-type') ?? '').split(',').map((part) => (part.split(';', 1)[0] ?? '').trim());
  if (![type, ...others].some((each) => types.includes(each))) {
    throw new StatusError(415, 'UnsupportedMediaType', '415: Unsupported Media Type', { details: {} });
  }
  if (others.length > 0) throw unsupportedMediaType(types);
  return type;
}

/** What a patch has made, where it belongs. @throws {StatusError} 400, 409: it belongs somewhere else. */
function placed(changed: Changed, lease: LeaseName, live: LiveLease | undefined): Changed {
  const { uid = '' } = changed.object.metadata;
  try {
    if (live === undefined && uid !== '') {
      throw leaseConflict(lease.name, `uid mismatch: the provided object specified uid ${uid}, and no existing object was found`);
    }
    const { object, twice } = withOwnersOnce(inPlace(changed.object, lease));
    return { object, warnings: [...changed.warnings, ...ownerWarnings(twice, ' after mutating admission happens')] };
  } catch (error) {
    throw warned(error, changed.warnings);
  }
}
