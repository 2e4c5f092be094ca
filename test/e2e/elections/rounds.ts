import { setTimeout as sleep } from 'node:timers/promises';
import type { Chance } from '../../support/chance.js';
import type { Seat, Stage } from './stage.js';
import type { Reign } from './witness.js';

/** What a fault has to hand. */
interface Scene {
  readonly stage: Stage;
  readonly chance: Chance;
  readonly leader: Seat;
  readonly standbys: readonly Seat[];
  /** Resolves once somebody leads with a higher token. */
  readonly replaced: () => Promise<unknown>;
}

/** What is done to an election, and undone again: when it resolves, three candidates are there and nothing stands between them and the server. */
const faults = {
  kill: async ({ leader, replaced }) => {
    await leader.candidate.kill();
    await replaced();
    await leader.fill();
  },
  stop: async ({ leader, replaced }) => {
    await leader.candidate.stop();
    await replaced();
    await leader.fill();
  },
  pause: async ({ stage, leader, replaced }) => {
    leader.candidate.pause();
    await Promise.all([replaced(), sleep(stage.leaseMs * 1.25)]);
    leader.candidate.resume();
  },
  'kill server': async ({ stage }) => {
    await stage.server.kill();
    await stage.restartServer();
  },
  'stop server': async ({ stage }) => {
    await stage.server.stop();
    await stage.restartServer();
  },
  /** The connections of the leader are reset, and it cannot make new ones for a moment. */
  cut: async ({ stage, chance, leader }) => {
    leader.link.refuse();
    leader.link.cut();
    await sleep(chance.between(0, stage.leaseMs / 4));
    leader.link.restore();
  },
  /** The leader hears nothing, and nobody hears it. */
  silence: async ({ leader, replaced }) => {
    leader.link.partition();
    await replaced();
    leader.link.restore();
  },
  /** The leader is heard but hears nothing: what it asks for is done, its beats and its release included. */
  deafen: async ({ leader, replaced }) => {
    leader.link.partition('answers');
    await replaced();
    leader.link.restore();
  },
  /** The lease is granted to who cannot hear it, and hears it when somebody else leads. */
  'late grant': async ({ stage, leader, standbys, replaced }) => {
    for (const { link } of standbys) link.partition('answers');
    await leader.candidate.stop();
    await sleep(stage.leaseMs * 1.05);
    for (const { link } of standbys) {
      link.restore();
      await replaced();
    }
    await leader.fill();
  },
  /** A slow way to the server is a reason for nothing. */
  slow: async ({ stage, leader }) => {
    leader.link.delay(stage.leaseMs / 20, stage.leaseMs / 20);
    await sleep(stage.leaseMs / 2);
    leader.link.restore();
  },
} satisfies Record<string, (scene: Scene) => Promise<void>>;

export type FaultKind = keyof typeof faults;

export const faultKinds = Object.keys(faults) as readonly FaultKind[];

/** What a round came to. */
export interface Round {
  readonly kind: FaultKind;
  /** From the fault to the first instant at which the next leader is known to have believed; `undefined` where the old one leads on. */
  readonly failoverMs: number | undefined;
}

/** Strikes the leader with a fault, and waits until somebody leads for certain again. */
export async function playRound(stage: Stage, kind: FaultKind, chance: Chance): Promise<Round> {
  // So that standbys have taken their places, and faults meet a beat's interval anywhere.
  await sleep(chance.between(100, 100 + stage.leaseMs / 4));
  const { seat: leader, reign: struck } = stage.leader();
  const standbys = stage.seats.filter((seat) => seat !== leader);
  const next = (): Promise<Reign> => stage.heard('Another leader', (witness) => witness.after(struck.token));
  const struckAt = process.hrtime.bigint();
  await faults[kind]({ stage, chance, leader, standbys, replaced: next });

  const { token } = await someoneLeads(stage, struck);
  if (token === struck.token) return { kind, failoverMs: undefined };
  const { since } = await next();
  return { kind, failoverMs: Number(since - struckAt) / 1e6 };
}

/**
 * Waits for a leader that does not live on what was before: of a higher token, or one that has been acknowledged since. A belief ends
 * two thirds of the lease after the renewal that it rests on, so one that is older than that rests on a later renewal.
 */
async function someoneLeads(stage: Stage, struck: Reign): Promise<Reign> {
  const mendedAt = process.hrtime.bigint();
  const renewedBy = mendedAt + BigInt(Math.ceil((stage.leaseMs * 2) / 3)) * 1_000_000n;
  return stage.heard('A leader', ({ last }) => {
    if (last === undefined) return undefined;
    return last.until > (last.token > struck.token ? mendedAt : renewedBy) ? last : undefined;
  });
}
