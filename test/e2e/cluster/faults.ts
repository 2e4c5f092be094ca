import { setTimeout as sleep } from 'node:timers/promises';
import { Chance } from '../../support/chance.js';
import type { EtcdCluster, EtcdMember } from '../../support/etcd-cluster.js';
import type { FaultProxy } from '../../support/fault-proxy.js';
import type { Replica } from './replicas.js';

/** What can be broken. */
export interface Targets {
  readonly etcd: EtcdCluster;
  readonly replicas: readonly Replica[];
  /** What leads from each client to each replica: by client, then in the order of the replicas. */
  readonly doors: readonly (readonly FaultProxy[])[];
}

/** A fault: begins it, and returns what ends it. */
type Fault = (targets: Targets, chance: Chance) => Promise<End>;
interface End {
  readonly what: string;
  readonly end: () => Promise<unknown>;
}

const etcdFaults: readonly Fault[] = [
  async ({ etcd }, chance) => kill('leader', await leaderOf(etcd, chance)),
  async ({ etcd }, chance) => kill('member', chance.pick(etcd.members)),
  async ({ etcd }, chance) => pause('leader', await leaderOf(etcd, chance)),
  async ({ etcd }, chance) => pause('member', chance.pick(etcd.members)),
  async ({ etcd }, chance) => {
    const leader = await leaderOf(etcd, chance);
    return cut(`leader ${leader.name} from the other members`, etcd.around(leader), chance);
  },
  async ({ etcd }, chance) => {
    const one = chance.pick(etcd.members);
    const other = chance.pick(etcd.members.filter((member) => member !== one));
    return cut(`${one.name} from ${other.name}`, etcd.between(one, other), chance);
  },
];

const replicaFaults: readonly Fault[] = [
  async ({ replicas }, chance) => kill('replica', chance.pick(replicas)),
  async ({ replicas }, chance) => {
    const replica = chance.pick(replicas);
    await replica.stop();
    return { what: `ended ${replica.name} in order`, end: async () => replica.start() };
  },
  // What a server does that has not noticed what it has missed is what goes wrong most easily: so these come twice.
  pauseReplica,
  pauseReplica,
  cutReplicaFromEtcd,
  cutReplicaFromEtcd,
  async ({ replicas }, chance) => {
    const replica = chance.pick(replicas);
    return cut(`${replica.name} from one member`, [chance.pick(replica.links)], chance);
  },
  async ({ replicas, doors }, chance) => {
    const index = Math.floor(chance.next() * replicas.length);
    return cut(
      `all clients from ${replicas[index]!.name}`,
      doors.map((ofClient) => ofClient[index]!),
      chance,
    );
  },
  async ({ doors }, chance) => cut('one client from one replica', [chance.pick(chance.pick(doors))], chance),
];

/** Breaks etcd and replicas, each one fault after the other and all kinds in turn, in an order by chance, until it is over. */
export class Faults {
  /** What was done and when, for whoever reads a failure. */
  readonly diary: string[] = [];
  readonly #targets: Targets;
  readonly #chance: Chance;

  constructor(targets: Targets, chance: Chance) {
    this.#targets = targets;
    this.#chance = chance;
  }

  async rage(untilMs: number): Promise<void> {
    await Promise.all([this.#inTurn(etcdFaults, untilMs), this.#inTurn(replicaFaults, untilMs)]);
  }

  /** Mends everything. */
  async restore(): Promise<void> {
    for (const door of this.#targets.doors.flat()) door.restore();
    for (const replica of this.#targets.replicas) replica.restore();
    await this.#targets.etcd.restore();
    this.note('all is mended');
  }

  note(what: string): void {
    this.diary.push(`${Math.round(performance.now())} ms (${new Date().toISOString()}): ${what}`);
  }

  async #inTurn(kinds: readonly Fault[], untilMs: number): Promise<void> {
    // One of its own: how long the other faults take changes nothing here.
    const chance = new Chance(this.#chance.next() * 2 ** 32);
    for (const fault of chance.deal(kinds, 1000)) {
      if (performance.now() >= untilMs) return;
      const { what, end } = await fault(this.#targets, chance);
      this.note(what);
      await sleep(chance.between(2000, 6000));
      await end();
      this.note(`over: ${what}`);
      await sleep(chance.between(200, 3000));
    }
  }
}

async function pauseReplica({ replicas }: Targets, chance: Chance): Promise<End> {
  return pause('replica', chance.pick(replicas));
}

async function cutReplicaFromEtcd({ replicas }: Targets, chance: Chance): Promise<End> {
  const replica = chance.pick(replicas);
  return cut(`${replica.name} from etcd`, replica.links, chance);
}

async function kill(role: string, target: EtcdMember | Replica): Promise<End> {
  await target.kill();
  return { what: `killed ${role} ${target.name}`, end: async () => target.start() };
}

async function pause(role: string, target: EtcdMember | Replica): Promise<End> {
  target.signal('SIGSTOP');
  return { what: `paused ${role} ${target.name}`, end: async () => target.signal('SIGCONT') };
}

/** As when a router has forgotten a way: nothing comes, or no answer; or a firewall refuses it. */
async function cut(what: string, links: readonly FaultProxy[], chance: Chance): Promise<End> {
  const how = chance.pick(['both', 'answers', 'refuse'] as const);
  for (const link of links) {
    if (how !== 'refuse') {
      link.partition(how);
      continue;
    }
    link.refuse();
    link.cut();
  }
  return { what: `cut ${what} (${how})`, end: async () => links.forEach((link) => link.restore()) };
}

async function leaderOf(etcd: EtcdCluster, chance: Chance): Promise<EtcdMember> {
  // Drawn in any case, so that what follows does not depend on who leads.
  const any = chance.pick(etcd.members);
  return (await etcd.leader()) ?? any;
}
