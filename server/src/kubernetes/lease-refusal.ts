import { LeaseError } from '@leasehold/core';
import { leaseConflict, leaseExists, leaseInvalid, leaseNotFound, type StatusError } from './status.js';

/** What a refusal of the domain is here that is about a lease; whatever else was thrown stays what it is. */
export function leaseRefusal(error: unknown, name: string): unknown {
  return (error instanceof LeaseError ? toStatus(error, name) : undefined) ?? error;
}

/** 409: somebody else has written meanwhile. */
export function leaseModified(name: string): StatusError {
  return leaseConflict(name, 'the object has been modified; please apply your changes to the latest version and try again');
}

function toStatus({ reason, message, detail }: LeaseError, name: string): StatusError | undefined {
  switch (reason) {
    case 'STALE_VERSION':
      return leaseModified(name);
    case 'LEASE_EXISTS':
      return leaseExists(name);
    case 'LEASE_NOT_FOUND':
      return leaseNotFound(name);
    case 'LEASE_HELD':
    case 'LEASE_LOST':
    case 'LEASE_REVOKED':
    case 'NAME_RESERVED':
      return leaseConflict(name, message, [{ reason, message }]);
    case 'INVALID_FIELD':
      return leaseInvalid(name, [{ reason: 'FieldValueInvalid', message, field: fieldOf(detail.field) }]);
    default:
      return undefined;
  }
}

/** A field of a lease in the words of Kubernetes. */
function fieldOf(field = ''): string {
  return field === '' || field === 'metadata' || field.startsWith('spec.') ? field : `metadata.${field}`;
}
