import { expect, it } from 'vitest';
import { systemClock } from '../../server/dist/clock.js';
import { EtcdClient, EtcdError } from '../../server/dist/store/etcd/client.js';

it('a client of etcd that is closed reaches nobody, and says so as it always does', async () => {
  const client = new EtcdClient({ endpoints: ['http://127.0.0.1:1'], clock: systemClock });
  client.close();
  const refused = client.call('Status', {});
  await expect(refused).rejects.toThrow(EtcdError);
  await expect(refused).rejects.toMatchObject({ message: 'etcd Status: the client is closed', isRefusal: false });
});
