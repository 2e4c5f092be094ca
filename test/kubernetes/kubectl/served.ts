import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { createClient, type Client } from '@leasehold/sdk';
import { afterAll, beforeAll, vi } from 'vitest';
import { ServerProcess } from '../../support/server-process.js';
import { Kubectl } from './kubectl.js';

const main = fileURLToPath(new URL('../../../cli/dist/main.js', import.meta.url));

// A test is many processes, one after the other, and the machine may be busy.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

/** A server with both its doors, and who calls there: kubectl, with the kubeconfig that the server's own command prints, and the SDK. */
export class Served {
  #server: ServerProcess | undefined;
  #client: Client | undefined;
  #kubectl: Kubectl | undefined;
  #rooms = 0;

  get client(): Client {
    return started(this.#client);
  }

  get kubectl(): Kubectl {
    return started(this.#kubectl);
  }

  /** kubectl in a namespace that no other test of the file has. */
  room(): { kubectl: Kubectl; namespace: string } {
    const namespace = `room-${++this.#rooms}`;
    return { kubectl: this.kubectl.within(namespace), namespace };
  }

  /** Another client, which its caller closes. */
  connect(): Client {
    return createClient({ endpoints: [started(this.#server).address], holder: 'worker-1' });
  }

  async start(env: Readonly<Record<string, string>>, ca?: string): Promise<void> {
    const home = await mkdtemp(join(tmpdir(), 'leasehold-kubectl-'));
    this.#server = await ServerProcess.launch({ env: { LEASEHOLD_HTTP_LISTEN: '127.0.0.1:0', ...env } });
    const kubeconfig = join(home, 'kubeconfig');
    await writeFile(kubeconfig, await printKubeconfig(this.#server.httpAddress, ca));
    this.#client = this.connect();
    this.#kubectl = new Kubectl(home, kubeconfig);
  }

  async stop(): Promise<void> {
    await this.#client?.close();
    await this.#server?.stop();
    if (this.#kubectl !== undefined) await rm(this.#kubectl.home, { recursive: true, force: true });
  }
}

/** One server for the tests of a suite. */
export function useServer(env: Readonly<Record<string, string>> = {}): Served {
  const served = new Served();
  beforeAll(() => served.start(env));
  afterAll(() => served.stop());
  return served;
}

async function printKubeconfig(address: string, ca: string | undefined): Promise<string> {
  const flags = ca === undefined ? ['--server', `http://${address}`] : ['--server', `https://${address}`, '--ca', ca];
  return (await promisify(execFile)(process.execPath, [main, 'kubeconfig', ...flags], { timeout: 60_000 })).stdout;
}

function started<T>(part: T | undefined): T {
  if (part === undefined) throw new Error('The server has not been started');
  return part;
}
