import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const cli = fileURLToPath(new URL('../../../cli/dist/main.js', import.meta.url));

/** The environment of a user whose home has a kubeconfig for a server, made by `leasehold kubeconfig`. */
export class Home {
  readonly directory: string;

  private constructor(directory: string) {
    this.directory = directory;
  }

  /** @param ca the certificate that signed the server's; nothing: the connection is not encrypted. */
  static async make(address: string, ca?: string): Promise<Home> {
    const home = new Home(await mkdtemp(join(tmpdir(), 'leasehold-home-')));
    await mkdir(join(home.directory, '.kube'));
    const args = ['--server', `${ca === undefined ? 'http' : 'https'}://${address}`];
    if (ca !== undefined) {
      await writeFile(join(home.directory, 'ca.pem'), ca);
      args.push('--ca', join(home.directory, 'ca.pem'));
    }
    const { stdout } = await promisify(execFile)(process.execPath, [cli, 'kubeconfig', ...args]);
    await writeFile(join(home.directory, '.kube', 'config'), stdout);
    return home;
  }

  environment(more: Readonly<Record<string, string>> = {}): Record<string, string> {
    return { PATH: process.env['PATH'] ?? '', HOME: this.directory, ...more };
  }

  remove(): Promise<void> {
    return rm(this.directory, { recursive: true, force: true });
  }
}
