// Asks a server for its health over gRPC: exit code 0 when it serves. `node healthcheck.mjs ADDRESS`
import grpc from '@grpc/grpc-js';

const address = process.argv[2] ?? '127.0.0.1:7400';
// grpc.health.v1.HealthCheckResponse with its one field, `status = SERVING`.
const serving = Buffer.from([0x08, 0x01]);

const client = new grpc.Client(address, grpc.credentials.createInsecure());
const bytes = (value) => value;
const options = { deadline: Date.now() + 2000 };
client.makeUnaryRequest('/grpc.health.v1.Health/Check', bytes, bytes, Buffer.alloc(0), options, (error, answer) => {
  client.close();
  if (error !== null || !answer.equals(serving)) {
    console.error(error?.message ?? 'Not serving');
    process.exitCode = 1;
  }
});
