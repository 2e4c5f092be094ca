import type { Clock } from '../clock.js';

/** The network between clients and the server. `TestLink` is the ordinary one; a test may bring another. */
export interface Network {
  /** Makes a connection. */
  connect(client: WireEnd, server: WireEnd): Wire;
  /** Breaks every connection, as when the server is gone. */
  reset(): void;
}

/** One end of a connection. */
export interface WireEnd {
  /** Time at this end. */
  readonly clock: Pick<Clock, 'after'>;
  /** This end learns that the connection is over. Whether and when the other end does is another matter. */
  broken(): void;
}

/** A connection: what one end sends arrives at the other in order, sooner or later, or never. */
export interface Wire {
  /** Takes something to the server. */
  toServer(arrive: () => void): void;
  /** Takes something to the client. */
  toClient(arrive: () => void): void;
  /** Neither end needs it any more; what is under way may still arrive. Idempotent. */
  close(): void;
}
