import { nobodyElsewhere, type LeaseRecord, type WaitingServer } from './record.js';
import type { Moment, Standing } from './situation.js';

/** The record with the servers where somebody waits as they are now: with this one if somebody waits here, without those that are gone. */
export function withWaiting(record: LeaseRecord, standing: Standing, { sessions }: Moment): LeaseRecord {
  if (sessions.own === '') return record;
  const others = record.waiting.filter(({ session }) => session === sessions.own || sessions.isLive(session));
  const waiting = withOwn(others, sessions.own, standing.priorityHere);
  return isSame(waiting, record.waiting) ? record : { ...record, waiting: waiting.length === 0 ? nobodyElsewhere : waiting };
}

/** A server keeps its place as long as somebody waits there. */
function withOwn(servers: readonly WaitingServer[], session: string, priority: number | undefined): readonly WaitingServer[] {
  if (priority === undefined) return servers.filter((server) => server.session !== session);
  const own = { session, priority };
  return servers.some((server) => server.session === session)
    ? servers.map((server) => (server.session === session ? own : server))
    : [...servers, own];
}

function isSame(left: readonly WaitingServer[], right: readonly WaitingServer[]): boolean {
  return (
    left.length === right.length &&
    left.every(({ session, priority }, index) => session === right[index]?.session && priority === right[index].priority)
  );
}
