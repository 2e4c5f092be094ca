import { describe, expect, it } from 'vitest';
import { EtcdCluster, type EtcdMember } from './etcd-cluster.js';
import { withoutEtcd } from './etcd-process.js';

const patience = { timeout: 60_000, interval: 100 };

describe.skipIf(withoutEtcd !== '')(`an etcd of three members${withoutEtcd}`, { timeout: 180_000 }, () => {
  it('has another leader while the first is cut off, and the old one follows when it is mended', async () => {
    const cluster = await EtcdCluster.start();
    const first = (await cluster.leader())!;
    for (const link of cluster.around(first)) link.partition();
    const others = cluster.members.filter((member) => member !== first);
    await expect.poll(async () => others.includes((await cluster.leader())!), patience).toBe(true);
    const second = (await cluster.leader())!;
    await put(second, 'written', 'meanwhile');
    expect(await canPut(first)).toBe(false);
    for (const link of cluster.around(first)) link.restore();
    await cluster.ready();
    expect(await get(first, 'written')).toBe('meanwhile');
  });

  it('keeps what it knows over kills and pauses, and needs two of three', async () => {
    const cluster = await EtcdCluster.start();
    const [one, two, three] = cluster.members as [EtcdMember, EtcdMember, EtcdMember];
    await put(one, 'key', 'value');
    await one.kill();
    await put(two, 'key', 'newer');
    three.signal('SIGSTOP');
    expect(await canPut(two)).toBe(false);
    await cluster.restore();
    expect(await get(one, 'key')).toBe('newer');
    expect(await canPut(three)).toBe(true);
  });

  it('goes on while two of three cannot reach each other', async () => {
    const cluster = await EtcdCluster.start();
    const leader = (await cluster.leader())!;
    const [one, other] = cluster.members.filter((member) => member !== leader) as [EtcdMember, EtcdMember];
    for (const link of cluster.between(one, other)) {
      link.refuse();
      link.cut();
    }
    await put(one, 'key', 'value');
    expect(await get(other, 'key')).toBe('value');
  });

  it('has a door for each client, which can be closed to that one alone', async () => {
    const cluster = await EtcdCluster.start();
    const [member] = cluster.members as [EtcdMember];
    const [open, closed] = [await member.door(), await member.door()];
    closed.partition();
    await member.kill();
    await member.start();
    await cluster.ready();
    expect(await isWritable(closed.address)).toBe(false);
    expect(await isWritable(open.address)).toBe(true);
  });
});

async function put(member: EtcdMember, key: string, value: string): Promise<void> {
  await expect.poll(() => canPut(member, key, value), patience).toBe(true);
}

async function get(member: EtcdMember, key: string): Promise<string | undefined> {
  const answer = await ask((await member.door()).address, 'range', { key: btoa(key) });
  const { kvs = [] } = (await answer.json()) as { kvs?: { value: string }[] };
  return kvs[0] && atob(kvs[0].value);
}

async function canPut(member: EtcdMember, key = 'try', value = 'it'): Promise<boolean> {
  return isWritable((await member.door()).address, key, value);
}

function isWritable(address: string, key = 'try', value = 'it'): Promise<boolean> {
  return ask(address, 'put', { key: btoa(key), value: btoa(value) }).then(
    ({ ok }) => ok,
    () => false,
  );
}

/** Asks over etcd's own JSON gateway. */
function ask(address: string, what: 'put' | 'range', body: object): Promise<Response> {
  const signal = AbortSignal.timeout(2000);
  return fetch(`http://${address}/v3/kv/${what}`, { method: 'POST', body: JSON.stringify(body), signal });
}
