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

export interface RangeRequest {
  readonly key: Buffer;
  /** All keys from `key` up to before this one; absent: `key` alone. */
  readonly range_end?: Buffer;
  /** 0: no limit. */
  readonly limit?: number;
  readonly keys_only?: boolean;
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
  readonly result: 'EQUAL';
  readonly target: 'VALUE' | 'CREATE' | 'MOD';
  readonly value?: Buffer;
  readonly create_revision?: string;
  readonly mod_revision?: string;
}

export interface Operation {
  readonly request_put?: { readonly key: Buffer; readonly value: Buffer };
  readonly request_delete_range?: { readonly key: Buffer; readonly range_end?: Buffer };
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
const field = (type: string, id: number): Field => ({ type, id });
const repeated = (type: string, id: number): Field => ({ rule: 'repeated', type, id });

interface Method {
  readonly requestType: string;
  readonly responseType: string;
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
          Maintenance: { methods: { Status: method('StatusRequest', 'StatusResponse') } },
          Auth: { methods: { Authenticate: method('AuthenticateRequest', 'AuthenticateResponse') } },
          ResponseHeader: { fields: { revision: field('int64', 3) } },
          KeyValue: { fields: { key: field('bytes', 1), mod_revision: field('int64', 3), value: field('bytes', 5) } },
          RangeRequest: {
            fields: {
              key: field('bytes', 1),
              range_end: field('bytes', 2),
              limit: field('int64', 3),
              keys_only: field('bool', 8),
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
  { longs: String, keepCase: true, defaults: true },
);

/** All methods as one service, by their names. */
export const etcdService: ServiceDefinition = Object.assign(
  {},
  ...['KV', 'Maintenance', 'Auth'].map((service) => packageDefinition[`etcdserverpb.${service}`] as ServiceDefinition),
) as ServiceDefinition;
