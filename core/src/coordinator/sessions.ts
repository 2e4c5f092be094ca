import type { Sessions } from '../lease/situation.js';
import type { LeaseKey, WaitingServer } from '../lease/record.js';
import type { SharedStore } from '../store/store.js';

/** How much later each next server does what time has made due: most of it is done once, by the first. */
const turnMs = 1000;

/** The servers that share the leases, and which of them this one is. Alone, it is the only one, and has no session. */
export class ServerSessions implements Sessions {
  readonly #shared: SharedStore | undefined;

  constructor(shared: SharedStore | undefined) {
    this.#shared = shared;
  }

  get own(): string {
    return this.#shared?.session ?? '';
  }

  /** For how long another server may go on acknowledging after a change that it has not seen yet, in milliseconds. */
  get ttlMs(): number {
    return this.#shared?.ttlMs ?? 0;
  }

  isLive(session: string): boolean {
    return this.#shared?.sessions.has(session) ?? false;
  }

  /** Whether this is the session of another server that lives. */
  isElsewhere(session: string): boolean {
    return session !== '' && session !== this.own && this.isLive(session);
  }

  /** Which servers come first is as good as random for each lease: so the work of a mass expiry is spread over them. */
  delayMs(key: LeaseKey): number {
    if (this.#shared === undefined) return 0;
    const own = hash(this.own + key);
    let before = 0;
    for (const session of this.#shared.sessions) {
      if (session !== this.own && hash(session + key) < own) before += 1;
    }
    return before * turnMs;
  }

  /** Whether somebody who waits on another server is to be granted before those who wait here, if anybody does. */
  othersFirst(waiting: readonly WaitingServer[], anybodyHere: boolean): boolean {
    let first: WaitingServer | undefined;
    for (const server of waiting) {
      const waits = server.session === this.own ? anybodyHere : this.isLive(server.session);
      if (waits && (first === undefined || server.priority > first.priority)) first = server;
    }
    return first !== undefined && first.session !== this.own;
  }
}

/** FNV-1a, 32 bits. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1) {
    value = Math.imul(value ^ text.charCodeAt(index), 0x01000193);
  }
  return value >>> 0;
}
