import { fromJSON } from '@grpc/proto-loader';
import type { ServiceDefinition } from '@grpc/grpc-js';

/**
 * The part of etcd's published interface that the store uses (etcdserverpb and mvccpb of etcd 3.4 to 3.6), as data: so nothing has to be
 * generated, and no file of another language goes along.
 */

export interface KeyValue {
  readonly key: Buffer;
  readonly value: Buffer;
  /** 64-bit numbers are decimal text. */
  readonly mod_revision: string;
}

/** What has become of a key. */
export interface Event {
  readonly type: 'PUT' | 'DELETE';
  /** Of a key that was deleted, only the key and the revision. */
  readonly kv: KeyValue;
}

export interface RangeRequest {
  readonly key: Buffer;
  /** All keys from `key` up to before this one; absent: `key` alone. */
  readonly range_end?: Buffer;
  /** 0: no limit. */
  readonly limit?: number;
  readonly keys_only?: boolean;
  /** As it was at this revision of etcd; absent: as it is now. */
  readonly revision?: string;
}

export interface RangeResponse {
  readonly header: { readonly revision: string };
  readonly kvs: readonly KeyValue[];
  /** Whether the limit has cut it off. */
  readonly more: boolean;
}

/** A condition of a transaction: the value of a key, or that it does not exist. */
export interface Compare {
  readonly key: Buffer;
  /** All keys from `key` up to before this one have to fulfil it, which none does as one that does not exist. */
  readonly range_end?: Buffer;
  readonly result: 'EQUAL' | 'GREATER';
  readonly target: 'VALUE' | 'CREATE' | 'MOD';
  readonly value?: Buffer;
  readonly create_revision?: string;
  readonly mod_revision?: string;
}

export interface Operation {
  readonly request_put?: { readonly key: Buffer; readonly value: Buffer };
  readonly request_delete_range?: { readonly key: Buffer; readonly range_end?: Buffer };
}

/** What a watch begins with: all that happens to these keys from a revision of etcd on. */
export interface WatchRequest {
  readonly create_request: { readonly key: Buffer; readonly range_end: Buffer; readonly start_revision: string };
}

export interface WatchResponse {
  readonly header: { readonly revision: string };
  /** Whether etcd has ended it; `compact_revision` then tells if what it begins with is there no more. */
  readonly canceled: boolean;
  readonly compact_revision: string;
  readonly cancel_reason: string;
  /** In the order of revisions; those of one transaction together. */
  readonly events: readonly Event[];
}

/** All of `success` is done if all of `compare` holds. */
export interface TxnRequest {
  readonly compare: readonly Compare[];
  readonly success: readonly Operation[];
}

export interface TxnResponse {
  readonly header: { readonly revision: string };
  readonly succeeded: boolean;
}

/** The unary methods by their names: what goes in and what comes back. */
export interface Methods {
  Range: [RangeRequest, RangeResponse];
  Txn: [TxnRequest, TxnResponse];
  Compact: [{ readonly revision: string }, unknown];
  Status: [object, { readonly version: string }];
  Authenticate: [{ readonly name: string; readonly password: string }, { readonly token: string }];
}

const method = (requestType: string, responseType: string): Method => ({ requestType, responseType, comment: '' });
const streaming = (requestType: string, responseType: string): Method => ({
  ...method(requestType, responseType),
  requestStream: true,
  responseStream: true,
});
const field = (type: string, id: number): Field => ({ type, id });
const repeated = (type: string, id: number): Field => ({ rule: 'repeated', type, id });

interface Method {
  readonly requestType: string;
  readonly responseType: string;
  readonly requestStream?: true;
  readonly responseStream?: true;
  readonly comment: string;
}

interface Field {
  readonly rule?: 'repeated';
  readonly type: string;
  readonly id: number;
}

const packageDefinition = fromJSON(
  {
    nested: {
      etcdserverpb: {
        nested: {
          KV: {
            methods: {
              Range: method('RangeRequest', 'RangeResponse'),
              Txn: method('TxnRequest', 'TxnResponse'),
              Compact: method('CompactionRequest', 'CompactionResponse'),
            },
          },
          Watch: { methods: { Watch: streaming('WatchRequest', 'WatchResponse') } },
          Maintenance: { methods: { Status: method('StatusRequest', 'StatusResponse') } },
          Auth: { methods: { Authenticate: method('AuthenticateRequest', 'AuthenticateResponse') } },
          ResponseHeader: { fields: { revision: field('int64', 3) } },
          KeyValue: { fields: { key: field('bytes', 1), mod_revision: field('int64', 3), value: field('bytes', 5) } },
          RangeRequest: {
            fields: {
              key: field('bytes', 1),
              range_end: field('bytes', 2),
              limit: field('int64', 3),
              revision: field('int64', 4),
              keys_only: field('bool', 8),
            },
          },
          Event: {
            fields: { type: field('EventType', 1), kv: field('KeyValue', 2) },
            nested: { EventType: { values: { PUT: 0, DELETE: 1 } } },
          },
          WatchCreateRequest: {
            fields: { key: field('bytes', 1), range_end: field('bytes', 2), start_revision: field('int64', 3) },
          },
          WatchRequest: {
            oneofs: { request_union: { oneof: ['create_request'] } },
            fields: { create_request: field('WatchCreateRequest', 1) },
          },
          WatchResponse: {
            fields: {
              header: field('ResponseHeader', 1),
              canceled: field('bool', 4),
              compact_revision: field('int64', 5),
              cancel_reason: field('string', 6),
              events: repeated('Event', 11),
            },
          },
          RangeResponse: {
            fields: { header: field('ResponseHeader', 1), kvs: repeated('KeyValue', 2), more: field('bool', 3) },
          },
          PutRequest: { fields: { key: field('bytes', 1), value: field('bytes', 2) } },
          DeleteRangeRequest: { fields: { key: field('bytes', 1), range_end: field('bytes', 2) } },
          RequestOp: {
            oneofs: { request: { oneof: ['request_put', 'request_delete_range'] } },
            fields: { request_put: field('PutRequest', 2), request_delete_range: field('DeleteRangeRequest', 3) },
          },
          Compare: {
            oneofs: { target_union: { oneof: ['create_revision', 'mod_revision', 'value'] } },
            fields: {
              result: field('CompareResult', 1),
              target: field('CompareTarget', 2),
              key: field('bytes', 3),
              create_revision: field('int64', 5),
              mod_revision: field('int64', 6),
              value: field('bytes', 7),
              range_end: field('bytes', 64),
            },
            nested: {
              CompareResult: { values: { EQUAL: 0, GREATER: 1, LESS: 2, NOT_EQUAL: 3 } },
              CompareTarget: { values: { VERSION: 0, CREATE: 1, MOD: 2, VALUE: 3, LEASE: 4 } },
            },
          },
          TxnRequest: { fields: { compare: repeated('Compare', 1), success: repeated('RequestOp', 2) } },
          TxnResponse: { fields: { header: field('ResponseHeader', 1), succeeded: field('bool', 2) } },
          CompactionRequest: { fields: { revision: field('int64', 1) } },
          CompactionResponse: { fields: {} },
          StatusRequest: { fields: {} },
          StatusResponse: { fields: { version: field('string', 2) } },
          AuthenticateRequest: { fields: { name: field('string', 1), password: field('string', 2) } },
          AuthenticateResponse: { fields: { token: field('string', 2) } },
        },
      },
    },
  },
  { longs: String, enums: String, keepCase: true, defaults: true },
);

/** All of them as one service, by their names. */
export const etcdService: ServiceDefinition = Object.assign(
  {},
  ...['KV', 'Watch', 'Maintenance', 'Auth'].map((service) => packageDefinition[`etcdserverpb.${service}`] as ServiceDefinition),
) as ServiceDefinition;
