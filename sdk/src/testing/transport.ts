import type { Caller, Clock as CoreClock } from '@leasehold/core';
import { abortReason, type Clock } from '../clock.js';
import { ClientClosedError, type LeaseholdError, UnavailableError } from '../errors.js';
import type * as plain from '../transport/transport.js';
import type { Lease, Renewed, Validity } from '../types.js';
import { toTypedError, unreachable } from './convert.js';
import type { Front } from './front.js';
import type { FakeClock } from './fake-clock.js';
import type { HeartbeatEnd } from './heartbeat-end.js';
import { Inbox } from './inbox.js';
import type { Network } from './wire.js';

/** Where a client finds the server. */
export interface ServerAddress {
  /** The server; `undefined` while none runs. */
  readonly front: Front | undefined;
  /** Time on the server's side. */
  readonly clock: Pick<Clock, 'after'>;
}

/** The transport to a server in the same process: requests and answers travel over a network that a test can disturb. */
export class InProcessTransport implements plain.Transport {
  readonly canMove = false;
  readonly #clock: FakeClock;
  readonly #network: Network;
  readonly #server: ServerAddress;
  /** What ends each thing under way. */
  readonly #underWay = new Set<() => void>();
  #closed = false;

  constructor(clock: FakeClock, network: Network, server: ServerAddress) {
    this.#clock = clock;
    this.#network = network;
    this.#server = server;
  }

  ready(call: plain.Call): Promise<void> {
    return this.#ask(() => Promise.resolve(), call);
  }

  acquire(request: plain.AcquireRequest, call: plain.Call): Promise<plain.AcquireAnswer> {
    return this.#ask((front, caller) => front.acquire(request, caller), call);
  }

  renew(request: plain.RenewRequest, call: plain.Call): Promise<Renewed> {
    return this.#ask((front) => front.renew(request), call);
  }

  renewBatch(requests: readonly plain.RenewRequest[], call: plain.Call): Promise<readonly plain.RenewResult[]> {
    return this.#ask((front) => front.renewBatch(requests), call);
  }

  release(request: plain.ReleaseRequest, call: plain.Call): Promise<plain.Released> {
    return this.#ask((front) => front.release(request), call);
  }

  revoke(request: plain.RevokeRequest, call: plain.Call): Promise<plain.Revoked> {
    return this.#ask((front) => front.revoke(request), call);
  }

  validate(request: plain.TokenRequest, call: plain.Call): Promise<Validity> {
    return this.#ask((front) => front.validate(request), call);
  }

  get(request: plain.GetRequest, call: plain.Call): Promise<Lease> {
    return this.#ask((front) => front.get(request), call);
  }

  list(request: plain.ListRequest, call: plain.Call): Promise<plain.ListAnswer> {
    return this.#ask((front) => front.list(request), call);
  }

  create(request: plain.CreateRequest, call: plain.Call): Promise<Lease> {
    return this.#ask((front) => front.create(request), call);
  }

  update(request: plain.UpdateRequest, call: plain.Call): Promise<Lease> {
    return this.#ask((front) => front.update(request), call);
  }

  delete(request: plain.DeleteRequest, call: plain.Call): Promise<plain.Deleted> {
    return this.#ask((front) => front.delete(request), call);
  }

  async *watch(request: plain.WatchRequest, signal: AbortSignal): AsyncIterable<plain.WatchMessage> {
    const inbox = new Inbox<plain.WatchMessage>();
    const fail = (error: Error): void => {
      inbox.fail(error);
    };
    let closeAtServer = (): void => undefined;
    const connection = this.#connect(fail, () => {
      closeAtServer();
    });
    const cancel = (): void => {
      fail(signal.aborted ? abortReason(signal) : new ClientClosedError());
    };
    if (signal.aborted || this.#closed) cancel();
    this.#underWay.add(cancel);
    signal.addEventListener('abort', cancel, { once: true });
    connection.toServer((front) => {
      const onEnd = (error: unknown): void => {
        connection.toClient(() => {
          fail(toTypedError(error));
        });
      };
      const onMessage = (message: plain.WatchMessage): void => {
        connection.toClient(() => {
          inbox.put(message);
        });
      };
      try {
        closeAtServer = front.watch(request, { onMessage, onEnd });
      } catch (error) {
        onEnd(error);
      }
    });
    try {
      for (;;) yield await inbox.take();
    } finally {
      this.#underWay.delete(cancel);
      signal.removeEventListener('abort', cancel);
      connection.toServer(() => {
        closeAtServer();
      });
      connection.close();
    }
  }

  heartbeat(sink: plain.HeartbeatSink): plain.HeartbeatStream {
    if (this.#closed) throw new ClientClosedError();
    let over = false;
    let stream: HeartbeatEnd | undefined;
    const close = (): void => {
      if (over) return;
      over = true;
      this.#underWay.delete(close);
      connection.toServer(() => stream?.leave());
      connection.close();
    };
    const onEnd = (error: LeaseholdError): void => {
      if (over) return;
      close();
      sink.onEnd(error);
    };
    const connection = this.#connect(onEnd, () => stream?.leave());
    this.#underWay.add(close);
    connection.toServer((front) => {
      stream ??= front.heartbeat({
        onAnswer: (answer) => {
          connection.toClient(() => {
            if (!over) sink.onAnswer(answer);
          });
        },
        onEnd: (error) => {
          connection.toClient(() => {
            onEnd(toTypedError(error));
          });
        },
      });
    });
    const send = (message: plain.HeartbeatMessage): void => {
      if (!over) connection.toServer(() => stream?.take(message));
    };
    return { send, close };
  }

  close(): void {
    this.#closed = true;
    for (const end of [...this.#underWay]) end();
  }

  /** One call: it ends with its answer, its time, an abort or the end of its connection, whichever is first. */
  #ask<T>(handle: (front: Front, caller: Caller) => Promise<T>, { signal, timeoutMs }: plain.Call): Promise<T> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted === true) throw abortReason(signal);
      if (this.#closed) throw new ClientClosedError();
      let over = false;
      const caller = new RemoteCaller();
      const end = (settle: () => void): void => {
        if (over) return;
        over = true;
        cancelTimeout();
        this.#underWay.delete(onClosed);
        signal?.removeEventListener('abort', onAbort);
        settle();
        connection.close();
      };
      const giveUp = (error: Error): void => {
        end(() => {
          reject(error);
          connection.toServer(() => {
            caller.leave();
          });
        });
      };
      const onClosed = (): void => {
        giveUp(new ClientClosedError());
      };
      const onAbort = (): void => {
        if (signal !== undefined) giveUp(abortReason(signal));
      };
      const connection = this.#connect(giveUp, () => {
        caller.leave();
      });
      const cancelTimeout = this.#clock.after(timeoutMs, () => {
        giveUp(deadlineExceeded(timeoutMs));
      });
      this.#underWay.add(onClosed);
      signal?.addEventListener('abort', onAbort, { once: true });
      connection.toServer((front) => {
        const answer = (settle: () => void): void => {
          connection.toClient(() => {
            end(settle);
          });
        };
        caller.within(front.clock, timeoutMs, handle(front, caller)).then(
          (value) => {
            answer(() => {
              resolve(value);
            });
          },
          (error: unknown) => {
            answer(() => {
              reject(toTypedError(error));
            });
          },
        );
      });
    });
  }

  /** A connection to the server that runs now; where none does, it is refused. */
  #connect(onBroken: (error: UnavailableError) => void, onBrokenAtServer: () => void): Connection {
    const { front, clock } = this.#server;
    const broken = (): void => {
      this.#clock.soon(() => {
        onBroken(unreachable(front === undefined ? 'No server runs' : 'The connection broke'));
      });
    };
    const wire = this.#network.connect({ clock: this.#clock, broken }, { clock, broken: onBrokenAtServer });
    if (front === undefined) broken();
    return {
      toServer: (action) => {
        wire.toServer(() => {
          front?.clock.soon(() => {
            action(front);
          });
        });
      },
      toClient: (action) => {
        wire.toClient(() => {
          this.#clock.soon(action);
        });
      },
      close: () => {
        wire.close();
      },
    };
  }
}

/** A wire to a server. What arrives at a process that is paused waits there. */
interface Connection {
  toServer(action: (front: Front) => void): void;
  toClient(action: () => void): void;
  close(): void;
}

/** Who waits at the other end of a connection. */
class RemoteCaller implements Caller {
  #gone = false;
  readonly #actions: (() => void)[] = [];

  get gone(): boolean {
    return this.#gone;
  }

  onGone(action: () => void): void {
    this.#actions.push(action);
  }

  leave(): void {
    if (this.#gone) return;
    this.#gone = true;
    for (const action of this.#actions.splice(0)) action();
  }

  /** Takes the caller for gone when its time is up, as a server does by itself. */
  within<T>(clock: CoreClock, timeoutMs: number, answer: Promise<T>): Promise<T> {
    const cancel = clock.after(timeoutMs, () => {
      this.leave();
    });
    return answer.finally(cancel);
  }
}

function deadlineExceeded(timeoutMs: number): UnavailableError {
  const message = `DEADLINE_EXCEEDED: no answer within ${Math.round(timeoutMs)} ms`;
  return new UnavailableError({ code: 'DEADLINE_EXCEEDED', reason: 'DEADLINE_EXCEEDED', message, retryable: true });
}
