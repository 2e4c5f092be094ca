import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { ClientGone } from './body.js';
import type { Closing } from './closing.js';

/**
 * One request after the other on each connection of HTTP/1.1. A client may send the next one before it has been answered; Node hands
 * over all of them at once, so that a read would be made before the write in front of it, and a packet of lists would be a gigabyte of
 * answers.
 */
export class Turns {
  readonly #lines = new WeakMap<Socket, Line>();

  /** Resolves once everything has been answered that came before on the same connection. @throws {ClientGone} nobody waits for it. */
  async wait({ httpVersionMajor, socket }: IncomingMessage, response: Closing): Promise<void> {
    if (httpVersionMajor > 1) return;
    const line = this.#lines.get(socket) ?? { last: undefined, waiting: 0 };
    this.#lines.set(socket, line);
    const before = line.last;
    line.last = response;
    if (before === undefined || before.closed) return;
    line.waiting += 1;
    // Nothing else keeps a client from sending ever more.
    if (line.waiting > waitingMax) socket.destroy();
    await new Promise<void>((resolve) => before.onClose(resolve));
    line.waiting -= 1;
    if (socket.destroyed) throw new ClientGone('The client went before it was the turn of its request');
  }
}

/** Those of one connection. */
interface Line {
  last: Closing | undefined;
  waiting: number;
}

const waitingMax = 100;
