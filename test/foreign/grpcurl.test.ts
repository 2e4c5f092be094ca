import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { describeEverything } from './everything.js';
import { GrpcurlClient } from './grpcurl-client.js';
import { ServerProcess } from '../support/server-process.js';
import { grpcurl, missing, required } from './toolchain.js';

describe.skipIf(missing(grpcurl))('grpcurl with nothing but reflection', () => {
  describeEverything((address) => new GrpcurlClient(required(grpcurl), address));

  describe('of the service itself', () => {
    let server: ServerProcess;
    let client: GrpcurlClient;

    beforeAll(async () => {
      server = await ServerProcess.launch();
      client = new GrpcurlClient(required(grpcurl), server.address);
    });

    afterAll(async () => {
      await client.close();
      await server.stop();
    });

    it('lists the services', async () => {
      const services = (await client.print('list')).split('\n');
      expect(services).toContain('leasehold.v1.LeaseService');
      expect(services).toContain('grpc.health.v1.Health');
    });

    it('describes methods, messages and what they are made of', async () => {
      expect(await client.print('describe', 'leasehold.v1.LeaseService.Heartbeat')).toContain(
        'stream .leasehold.v1.HeartbeatRequest',
      );
      expect(await client.print('describe', 'leasehold.v1.Lease')).toContain('.google.protobuf.Duration remaining');
      expect(await client.print('describe', 'google.rpc.ErrorInfo')).toContain('string reason');
    });

    it('asks for the health of the server', async () => {
      expect(await client.print('grpc.health.v1.Health/Check')).toContain('SERVING');
    });
  });
});
