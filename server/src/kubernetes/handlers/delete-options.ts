import { decodeDeleteOptions } from '../codec/decode.js';
import type { DeleteOptions } from '../objects.js';
import { readInteger, readSwitch } from '../query.js';
import type { ApiRequest } from '../request.js';
import { objectInvalid } from '../status.js';
import { invalid, notSupported, type Cause } from '../validation/causes.js';
import { dryRunCauses } from './write-options.js';

/** Reads how a deletion is meant: out of the body, or out of the query if there is none. @throws {StatusError} 400, 415, 422 */
export function readDeleteOptions({ body, query, header }: Pick<ApiRequest, 'body' | 'query' | 'header'>): DeleteOptions {
  const options = body.length > 0 ? decodeDeleteOptions(body, header('content-type')) : fromQuery(query);
  const causes = causesOf(options);
  if (causes.length > 0) throw objectInvalid({ group: 'meta.k8s.io', kind: 'DeleteOptions' }, '', causes);
  return options;
}

function fromQuery(query: URLSearchParams): DeleteOptions {
  const gracePeriodSeconds = readInteger(query, 'gracePeriodSeconds');
  const orphanDependents = readSwitch(query, 'orphanDependents');
  const propagationPolicy = query.get('propagationPolicy');
  const uid = query.get('uid') ?? '';
  const resourceVersion = query.get('resourceVersion') ?? '';
  return {
    ...(gracePeriodSeconds === undefined ? {} : { gracePeriodSeconds }),
    ...(orphanDependents === undefined ? {} : { orphanDependents }),
    ...(propagationPolicy === null ? {} : { propagationPolicy }),
    preconditions: { ...(uid === '' ? {} : { uid }), ...(resourceVersion === '' ? {} : { resourceVersion }) },
    dryRun: query.getAll('dryRun'),
  };
}

function causesOf({ orphanDependents, propagationPolicy, dryRun = [] }: DeleteOptions): Cause[] {
  const causes: Cause[] = [];
  if (orphanDependents !== undefined && propagationPolicy !== undefined) {
    const rule = 'orphanDependents and deletionPropagation cannot be both set';
    causes.push(invalid('propagationPolicy', propagationPolicy, rule));
  }
  if (propagationPolicy !== undefined && !policies.includes(propagationPolicy)) {
    causes.push(notSupported('propagationPolicy', propagationPolicy, [...policies, 'nil']));
  }
  return [...causes, ...dryRunCauses(dryRun)];
}

const policies: readonly string[] = ['Foreground', 'Background', 'Orphan'];
