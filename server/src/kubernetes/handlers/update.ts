import { inPlace, withOwnersOnce } from '../admission.js';
import { decodeLease } from '../codec/decode.js';
import { withoutOwnAnnotations } from '../convert.js';
import type { LeaseObject } from '../lease-object.js';
import type { ApiAnswer, ApiRequest } from '../request.js';
import { leaseConflict, warned } from '../status.js';
import { ownerWarnings, tracked } from './changes.js';
import type { LeaseContext, LeaseName } from './context.js';
import { Reply } from './reply.js';
import { readWriteOptions } from './write-options.js';
import { writeLease } from './write.js';

/** Replaces a lease by a body that names the version it was made from; creates it if there is none. */
export async function putLease(context: LeaseContext, request: ApiRequest, lease: LeaseName): Promise<ApiAnswer> {
  const { clock } = context;
  const reply = new Reply(request, clock);
  const { manager, validation, dryRun } = readWriteOptions(request, 'update');
  const decoded = decodeLease(request.body, request.header('content-type'), validation);
  try {
    const { object, twice } = withOwnersOnce(inPlace(withoutOwnAnnotations(decoded.object), lease));
    const warnings = ownerWarnings(twice);
    const written = await writeLease(context, {
      ...{ request, lease, dryRun },
      change(live) {
        checkUid(object, lease, live?.record.uid ?? '');
        return { object: tracked(object, live, { manager, clock }), warnings };
      },
    });
    return reply.with(written.created ? 201 : 200, written.object, [...decoded.warnings, ...written.warnings]);
  } catch (error) {
    throw warned(error, decoded.warnings);
  }
}

/** Refuses an object that says it is another one, in words that kube-apiserver has from its storage. @throws {StatusError} 409 */
function checkUid({ metadata: { uid = '' } }: LeaseObject, { namespace, name }: LeaseName, actual: string): void {
  if (uid === '' || uid === actual) return;
  const where = `Key: /registry/leases/${namespace}/${name}, ResourceVersion: 0`;
  const why = `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${actual}`;
  throw leaseConflict(name, `StorageError: invalid object, Code: 4, ${where}, AdditionalErrorMsg: ${why}`);
}
