import type { FieldValidation } from '../codec/decode.js';
import { managerName } from '../managed-fields/manager-name.js';
import { readSwitch } from '../query.js';
import type { ApiRequest } from '../request.js';
import { objectInvalid } from '../status.js';
import { forbidden, notSupported, required, type Cause } from '../validation/causes.js';
import { fieldManagerCauses } from '../validation/metadata.js';

/** How a write is meant (meta/v1 CreateOptions, UpdateOptions and PatchOptions). */
export interface WriteOptions {
  readonly dryRun: boolean;
  /** Who writes. */
  readonly manager: string;
  readonly validation: FieldValidation;
  /** Of an apply: takes fields that others have given another value. */
  readonly force: boolean;
}

/** What kind of write it is. */
export type WriteKind = 'create' | 'update' | 'patch' | 'apply';

/** Reads the options out of the query of a request. @throws {StatusError} 422 */
export function readWriteOptions({ query, header }: Pick<ApiRequest, 'query' | 'header'>, kind: WriteKind): WriteOptions {
  const fieldManager = query.get('fieldManager') ?? '';
  const dryRun = query.getAll('dryRun');
  const fieldValidation = query.get('fieldValidation') ?? '';
  const force = readSwitch(query, 'force');
  const causes = [
    ...ofKind(kind, fieldManager, force),
    ...fieldManagerCauses('fieldManager', fieldManager),
    ...dryRunCauses(dryRun),
    ...fieldValidationCauses(fieldValidation),
  ];
  if (causes.length > 0) throw objectInvalid({ group: 'meta.k8s.io', kind: optionsKinds[kind] }, '', causes);
  return {
    dryRun: dryRun.length > 0,
    // Node reads headers as Latin-1, but what clients write there is UTF-8.
    manager: managerName(fieldManager, Buffer.from(header('user-agent') ?? '', 'latin1').toString()),
    validation: fieldValidation === '' ? 'Warn' : (fieldValidation as FieldValidation),
    force: force ?? false,
  };
}

/** What is wrong with the values of `dryRun`. */
export function dryRunCauses(values: readonly string[]): Cause[] {
  return values.every((value) => value === 'All') ? [] : [notSupported('dryRun', values, ['All'])];
}

const optionsKinds = { create: 'CreateOptions', update: 'UpdateOptions', patch: 'PatchOptions', apply: 'PatchOptions' } as const;

function ofKind(kind: WriteKind, fieldManager: string, force: boolean | undefined): Cause[] {
  if (kind === 'apply' && fieldManager === '') return [required('fieldManager', 'is required for apply patch')];
  if (kind === 'patch' && force !== undefined) return [forbidden('force', 'may not be specified for non-apply patch')];
  return [];
}

function fieldValidationCauses(value: string): Cause[] {
  const known = ['', 'Ignore', 'Strict', 'Warn'];
  return known.includes(value) ? [] : [notSupported('fieldValidation', value, known)];
}
