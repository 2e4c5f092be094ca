// Asks a server for its health over gRPC: exit code 0 when it serves. `node healthcheck.mjs ADDRESS`
//
// It speaks TLS where the server's own variable LEASEHOLD_TLS_CERT is set, and believes any certificate: it asks the server beside it,
// under an address that the certificate is hardly for. A server that asks clients for theirs does not answer it.
import grpc from '@grpc/grpc-js';

const address = process.argv[2] ?? '127.0.0.1:7400';
// grpc.health.v1.HealthCheckResponse with its one field, `status = SERVING`.
const serving = Buffer.from([0x08, 0x01]);

const encrypted = (process.env.LEASEHOLD_TLS_CERT ?? 'none') !== 'none';
const credentials = encrypted
  ? grpc.credentials.createSsl(null, null, null, { rejectUnauthorized: false })
  : grpc.credentials.createInsecure();

const client = new grpc.Client(address, credentials);
const bytes = (value) => value;
const options = { deadline: Date.now() + 2000 };
client.makeUnaryRequest('/grpc.health.v1.Health/Check', bytes, bytes, Buffer.alloc(0), options, (error, answer) => {
  client.close();
  if (error !== null || !answer.equals(serving)) {
    console.error(error?.message ?? 'Not serving');
    process.exitCode = 1;
  }
});
