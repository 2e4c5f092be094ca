import { fileURLToPath } from 'node:url';
import * as grpc from '@grpc/grpc-js';
import { loadSync, type MessageTypeDefinition } from '@grpc/proto-loader';
import { ForeignError, Inbox, shortName, type ForeignClient, type ForeignStream, type Message } from './client.js';

const protos = fileURLToPath(new URL('../../proto', import.meta.url));
const definition = loadSync(
  ['leasehold/v1/lease_service.proto', 'leasehold/v1/errors.proto', 'google/rpc/status.proto', 'google/rpc/error_details.proto'],
  { includeDirs: [protos], longs: String, enums: String },
);
const service = definition['leasehold.v1.LeaseService'] as grpc.ServiceDefinition;

type Method = grpc.MethodDefinition<Message, Message>;

/** grpc-js with nothing but the `.proto` files. */
export class ProtoLoaderClient implements ForeignClient {
  readonly #client: grpc.Client;

  constructor(address: string) {
    this.#client = new grpc.Client(address, grpc.credentials.createInsecure());
  }

  duration(ms: number): unknown {
    return { seconds: Math.floor(ms / 1000), nanos: (ms % 1000) * 1e6 };
  }

  call(method: string, request: Message): Promise<Message> {
    const { path, requestSerialize, responseDeserialize } = methodOf(method);
    return new Promise((resolve, reject) => {
      this.#client.makeUnaryRequest(path, requestSerialize, responseDeserialize, request, (error, answer) => {
        if (error === null && answer !== undefined) {
          resolve(answer);
        } else {
          reject(foreignError(error));
        }
      });
    });
  }

  open(method: string, request?: Message): ForeignStream {
    const { path, requestSerialize, responseDeserialize } = methodOf(method);
    const inbox = new Inbox();
    const listen = (call: grpc.ClientReadableStream<Message>): void => {
      call.on('data', (message: Message) => {
        inbox.push(message);
      });
      call.on('error', (error: grpc.ServiceError) => {
        inbox.end(foreignError(error));
      });
      call.on('end', () => {
        inbox.end(new ForeignError(0, 'The stream ended', {}));
      });
    };
    if (request !== undefined) {
      const call = this.#client.makeServerStreamRequest(path, requestSerialize, responseDeserialize, request);
      listen(call);
      return {
        send: () => undefined,
        next: () => inbox.next(),
        cancel: () => {
          call.cancel();
        },
      };
    }
    const call = this.#client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize);
    listen(call);
    return {
      send: (message) => {
        call.write(message);
      },
      next: () => inbox.next(),
      cancel: () => {
        call.cancel();
      },
    };
  }

  close(): Promise<void> {
    this.#client.close();
    return Promise.resolve();
  }
}

function methodOf(name: string): Method {
  const method = service[name];
  if (method === undefined) {
    throw new Error(`No method ${name}`);
  }
  return method as Method;
}

function foreignError(error: grpc.ServiceError | null): ForeignError {
  if (error === null) {
    return new ForeignError(grpc.status.INTERNAL, 'No answer', {});
  }
  const [bytes] = error.metadata.get('grpc-status-details-bin');
  const details = Buffer.isBuffer(bytes) ? (decode('google.rpc.Status', bytes)['details'] as readonly Any[]) : [];
  return new ForeignError(error.code, error.details, Object.fromEntries(details.map(unpack)));
}

/** A `google.protobuf.Any` as proto-loader shows it. */
interface Any {
  readonly type_url?: string;
  readonly typeUrl?: string;
  readonly value: Buffer;
}

function unpack(any: Any): [string, Message] {
  const type = any.type_url ?? any.typeUrl ?? '';
  return [shortName(type), decode(type.slice(type.indexOf('/') + 1), any.value)];
}

function decode(type: string, bytes: Buffer): Message {
  return (definition[type] as MessageTypeDefinition<Message, Message>).deserialize(bytes);
}
