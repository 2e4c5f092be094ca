import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';
import type { FaultProxy } from './fault-proxy.js';

/**
 * The way out of one process (SOCKS5, RFC 1928): connections to a name go over the link that the test has for it. So two processes that
 * ask for the same name go over links of their own, which can be cut apart.
 */
export class SocksProxy {
  readonly #server = createServer({ allowHalfOpen: true }, (socket) => {
    this.#greet(socket);
  });
  readonly #links: ReadonlyMap<string, FaultProxy>;

  private constructor(links: ReadonlyMap<string, FaultProxy>) {
    this.#links = links;
  }

  /** A way out that leads to the hosts of these names and to nothing else; it ends with the test. */
  static async to(links: ReadonlyMap<string, FaultProxy>): Promise<SocksProxy> {
    const proxy = new SocksProxy(links);
    proxy.#server.listen(0, '127.0.0.1');
    await once(proxy.#server, 'listening');
    onTestFinished(() => void proxy.#server.close());
    return proxy;
  }

  get url(): string {
    return `socks5://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** A client sends nothing more before it is answered: each message comes alone. */
  #greet(socket: Socket): void {
    socket.on('error', () => undefined);
    socket.once('data', () => {
      socket.write(noAuthentication);
      socket.once('data', (request) => {
        this.#connect(socket, request);
      });
    });
  }

  #connect(socket: Socket, request: Buffer): void {
    const length = request[4] ?? 0;
    const link = this.#links.get(request.toString('latin1', 5, 5 + length));
    if (request[3] !== domainName || link === undefined) {
      socket.resetAndDestroy();
      return;
    }
    socket.write(connected);
    link.carry(socket);
  }
}

const domainName = 3;
const noAuthentication = Buffer.from([5, 0]);
const connected = Buffer.from([5, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
