import type { ClientDuplexStream } from '@grpc/grpc-js';
import type {
  HeartbeatAttach,
  HeartbeatException,
  HeartbeatLoss,
  HeartbeatRequest,
  HeartbeatResponse,
  LeaseServiceClient,
} from '@leasehold/proto/leasehold/v1/lease_service';

/** A stream of heartbeats in the words of the wire. */
export class HeartbeatStream {
  readonly #call: ClientDuplexStream<HeartbeatRequest, HeartbeatResponse>;
  readonly handles: number[] = [];
  readonly losses: HeartbeatLoss[] = [];
  readonly exceptions: HeartbeatException[] = [];
  refused = 0;
  acknowledged = 0n;
  error: Error | undefined;
  #sequence = 0n;
  readonly #waiting = new Set<() => void>();

  constructor(client: LeaseServiceClient) {
    this.#call = client.heartbeat();
    this.#call.on('data', (message: HeartbeatResponse) => {
      this.#take(message);
    });
    this.#call.on('error', (error: Error) => {
      this.error = error;
      this.#wake();
    });
  }

  /** Attaches leases; resolves once each is answered. */
  async attach(leases: readonly Omit<HeartbeatAttach, 'namespace'>[]): Promise<void> {
    const wanted = this.handles.length + this.refused + leases.length;
    this.#send({ attach: leases.map((lease) => ({ namespace: 'default', ...lease })) });
    await this.#until(() => this.handles.length + this.refused >= wanted);
  }

  /** Beats; resolves once the beat is acknowledged. */
  async beat(handles: readonly number[] | 'all' = 'all'): Promise<void> {
    const sequence = this.#send(handles === 'all' ? { all: true } : { handles: [...handles] });
    await this.#until(() => this.acknowledged >= sequence);
  }

  end(): void {
    this.#call.on('error', () => undefined);
    this.#call.cancel();
  }

  #send(parts: Partial<HeartbeatRequest>): bigint {
    this.#sequence++;
    this.#call.write({ sequence: this.#sequence, handles: [], all: false, attach: [], detach: [], ...parts });
    return this.#sequence;
  }

  #take(message: HeartbeatResponse): void {
    for (const { outcome } of message.attached) {
      if (outcome?.$case === 'handle') {
        this.handles.push(outcome.value.handle);
      } else {
        this.refused++;
      }
    }
    this.losses.push(...message.lost);
    this.exceptions.push(...message.excepted);
    this.acknowledged = message.acknowledged;
    this.#wake();
  }

  #wake(): void {
    this.#waiting.forEach((look) => {
      look();
    });
  }

  #until(reached: () => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const look = (): void => {
        if (this.error !== undefined) {
          this.#waiting.delete(look);
          reject(this.error);
        } else if (reached()) {
          this.#waiting.delete(look);
          resolve();
        }
      };
      this.#waiting.add(look);
      look();
    });
  }
}
