import { describe } from 'vitest';
import { describeEverything } from './everything.js';
import { ProtoLoaderClient } from './proto-loader-client.js';

describe('grpc-js with nothing but the .proto files', () => {
  describeEverything((address) => new ProtoLoaderClient(address));
});
