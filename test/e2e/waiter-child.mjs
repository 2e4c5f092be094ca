// Waits for one lease under many names until it is killed: `node waiter-child.mjs ADDRESS LEASE FIRST COUNT`.
import { credentials } from '@grpc/grpc-js';
import { LeaseServiceClient } from '@leasehold/proto/leasehold/v1/lease_service';

const [address, name, first, count] = process.argv.slice(2);
const client = new LeaseServiceClient(address, credentials.createInsecure());
const duration = { seconds: 15n, nanos: 0 };
for (let index = Number(first); index < Number(first) + Number(count); index++) {
  const request = { namespace: 'default', name, holder: `waiter-${index}`, duration, wait: { seconds: 3600n, nanos: 0 } };
  client.acquire({ acquireId: '', priority: 0, labels: {}, annotations: {}, ...request }, () => {
    process.stdout.write(`${index}\n`);
  });
}
process.stdout.write('waiting\n');
