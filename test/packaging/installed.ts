import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import ts from 'typescript';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../../', import.meta.url));

/** A package as npm packs it. */
export interface Packed {
  readonly name: string;
  /** Bytes of the tarball. */
  readonly size: number;
  readonly filename: string;
  readonly files: readonly { readonly path: string }[];
}

/** Packs workspaces into a folder, as they are built now. */
export async function pack(workspaces: readonly string[], destination: string): Promise<Packed[]> {
  const chosen = workspaces.map((workspace) => `--workspace=${workspace}`);
  const args = ['pack', '--json', '--ignore-scripts', `--pack-destination=${destination}`, ...chosen];
  return JSON.parse((await run('npm', args, { cwd: root, maxBuffer: 16 * 1024 * 1024 })).stdout) as Packed[];
}

const installOptions = [
  ...['--prefer-offline', '--no-audit', '--no-fund', '--ignore-scripts'],
  ...['--fetch-retries=2', '--fetch-retry-mintimeout=200', '--fetch-retry-maxtimeout=1000', '--fetch-timeout=15000'],
];

const networkFailure = /\b(ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|ENOTCACHED|ERR_SOCKET_TIMEOUT)\b/;

/** An empty project in which packages were installed from their tarballs. */
export class Project {
  readonly folder: string;

  private constructor(folder: string) {
    this.folder = folder;
  }

  /**
   * Makes one. No install script is run: nothing may depend on any.
   *
   * @returns the project, or why there is none: what the packages depend on cannot be fetched.
   */
  static async install(tarballs: readonly string[]): Promise<Project | string> {
    const folder = await mkdtemp(join(tmpdir(), 'leasehold-packed-'));
    await writeFile(join(folder, 'package.json'), JSON.stringify({ private: true }));
    try {
      await run('npm', ['install', ...installOptions, ...tarballs], { cwd: folder, timeout: 50_000 });
      return new Project(folder);
    } catch (error) {
      await rm(folder, { recursive: true, force: true });
      const { killed, stderr } = error as { killed: boolean; stderr: string };
      const failure = killed ? 'timeout' : networkFailure.exec(stderr)?.[0];
      if (failure === undefined) throw error;
      return `the npm registry cannot be reached: ${failure}`;
    }
  }

  /** Writes a program and runs it with this Node. Resolves with what it prints; a warning counts as a failure. */
  async runProgram(name: string, text: string, env: Readonly<Record<string, string>> = {}): Promise<string> {
    await writeFile(join(this.folder, name), text);
    const { stdout, stderr } = await run(process.execPath, [name], { cwd: this.folder, env: { ...process.env, ...env } });
    if (stderr !== '') throw new Error(`${name} warned: ${stderr}`);
    return stdout.trim();
  }

  /**
   * Writes programs and has the workspace's compiler check them, with every declaration file of ours that they reach, as
   * `skipLibCheck: false` does. Resolves with its complaints.
   */
  async compile(programs: Readonly<Record<string, string>>, settings: Readonly<Record<string, unknown>>): Promise<string[]> {
    for (const [name, text] of Object.entries(programs)) await writeFile(join(this.folder, name), text);
    const { options, errors } = ts.convertCompilerOptionsFromJson(
      { ...settings, skipLibCheck: false, noEmit: true },
      this.folder,
    );
    const paths = Object.keys(programs).map((name) => join(this.folder, name));
    const host = { ...ts.createCompilerHost(options), getCurrentDirectory: () => this.folder };
    const program = ts.createProgram(paths, options, host);
    // Those of Node and of the language are checked by their makers, and take most of the time.
    const ours = program.getSourceFiles().filter(({ fileName }) => paths.includes(fileName) || fileName.includes('/@leasehold/'));
    const complaints = ours.flatMap((file) => [
      ...program.getSyntacticDiagnostics(file),
      ...program.getSemanticDiagnostics(file),
    ]);
    const all = [...errors, ...program.getOptionsDiagnostics(), ...program.getGlobalDiagnostics(), ...complaints];
    return all.map(({ file, messageText }) => `${file?.fileName ?? ''}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`);
  }

  /** Every file that was installed, as a path from the project. */
  async installed(): Promise<string[]> {
    const entries = await readdir(join(this.folder, 'node_modules'), { recursive: true, withFileTypes: true });
    return entries
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(this.folder.length + 1));
  }

  /** The scripts that npm would run when it installs, as `package: script`. */
  async installScripts(): Promise<string[]> {
    const manifests = (await this.installed()).filter((path) => isManifest(path));
    const scripts = manifests.map(async (path) => {
      const manifest = JSON.parse(await readFile(join(this.folder, path), 'utf8')) as Manifest;
      const ofInstall = ['preinstall', 'install', 'postinstall'].map((name) => manifest.scripts?.[name]);
      return ofInstall.filter((script) => script !== undefined).map((script) => `${manifest.name ?? path}: ${script}`);
    });
    return (await Promise.all(scripts)).flat();
  }

  /** Bytes on disk. */
  async size(): Promise<number> {
    const sizes = (await this.installed()).map(async (path) => (await stat(join(this.folder, path))).size);
    return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
  }

  async remove(): Promise<void> {
    await rm(this.folder, { recursive: true, force: true });
  }
}

interface Manifest {
  readonly name?: string;
  readonly scripts?: Readonly<Partial<Record<string, string>>>;
}

/** Whether a path is the package.json of an installed package, and not one of those that lie about inside. */
function isManifest(path: string): boolean {
  const parent = dirname(dirname(path)).split(sep);
  return basename(path) === 'package.json' && (parent.at(-1) === 'node_modules' || parent.at(-1)?.startsWith('@') === true);
}
