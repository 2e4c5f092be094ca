// What etcd tells of itself on its client port.
import { get } from 'node:http';

/** Counts since its start, but for `dbBytes`: of unary calls by name, of revisions, keys put, bytes and syncs of its log. */
export async function etcdMetrics({ address }) {
  const text = await page(`http://${address}/metrics`);
  const samples = [...text.matchAll(/^(\w+)(?:{(.*)})? (\S+)$/gm)].map(([, name, labels = '', value]) => ({
    name,
    labels,
    value: Number(value),
  }));
  const sum = (wanted, ...marks) =>
    samples
      .filter(({ name, labels }) => name === wanted && marks.every((mark) => labels.includes(mark)))
      .reduce((total, { value }) => total + value, 0);
  const calls = (method) => sum('grpc_server_handled_total', `grpc_method="${method}"`, 'grpc_code="OK"');
  return {
    transactions: calls('Txn'),
    puts: calls('Put'),
    reads: calls('Range'),
    revisions: sum('etcd_debugging_mvcc_current_revision'),
    keysPut: sum('etcd_mvcc_put_total'),
    walBytes: sum('etcd_disk_wal_write_bytes_total'),
    walSyncs: sum('etcd_disk_wal_fsync_duration_seconds_count'),
    walSyncSeconds: sum('etcd_disk_wal_fsync_duration_seconds_sum'),
    receivedBytes: sum('etcd_network_client_grpc_received_bytes_total'),
    sentBytes: sum('etcd_network_client_grpc_sent_bytes_total'),
    dbBytes: sum('etcd_mvcc_db_total_size_in_bytes'),
  };
}

async function page(url) {
  return new Promise((resolve, reject) => {
    get(url, async (response) => resolve(Buffer.concat(await response.toArray()).toString())).on('error', reject);
  });
}
