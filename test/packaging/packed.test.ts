import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ServerProcess } from '../support/server-process.js';
import { type Packed, pack, Project } from './installed.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
const workspaces = ['proto', 'core', 'server', 'sdk', 'cli'] as const;

/** What an `exports` map says of one path. */
type Target = string | Readonly<Record<string, string>>;

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly exports: Readonly<Record<string, Target>>;
  readonly types?: string;
  readonly bin?: Readonly<Record<string, string>>;
  readonly dependencies?: Readonly<Record<string, string>>;
}

const manifestOf = async (workspace: string): Promise<Manifest & Record<string, unknown>> =>
  JSON.parse(await readFile(join(root, workspace, 'package.json'), 'utf8')) as Manifest & Record<string, unknown>;

let folder: string;
let packages: ReadonlyMap<string, Packed>;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'leasehold-tarballs-'));
  const packed = await pack(workspaces, folder);
  packages = new Map(packed.map((one) => [one.name.replace('@leasehold/', ''), one]));
});

afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

describe.each(workspaces)('the package of %s', (workspace) => {
  let manifest: Manifest & Record<string, unknown>;
  let files: ReadonlySet<string>;

  beforeAll(async () => {
    manifest = await manifestOf(workspace);
    files = new Set(packages.get(workspace)?.files.map(({ path }) => path));
  });

  it('has what it names: entries, types, programs', () => {
    const named = Object.values(manifest.exports).flatMap((target) =>
      typeof target === 'string' ? [target] : Object.values(target),
    );
    const paths = [...named, manifest.types, ...Object.values(manifest.bin ?? {})].filter((path) => path !== undefined);
    const missing = paths.filter((path) => ![...files].some((file) => matches(file, path)));
    expect(missing).toEqual([]);
  });

  it('is an ES module whose entries offer types first', () => {
    expect(manifest).toMatchObject({ type: 'module', license: 'Apache-2.0', engines: { node: '>=20.19' } });
    const targets = Object.values(manifest.exports);
    expect(targets.filter((target) => typeof target === 'string' && target.endsWith('.js'))).toEqual([]);
    const code = targets.filter((target) => typeof target !== 'string');
    expect(code.map((target) => Object.keys(target))).toEqual(code.map(() => ['types', 'default']));
  });

  it('carries the licence, and nothing that is of no use', () => {
    expect(files).toContain('LICENSE');
    const useful = /^(LICENSE|README\.md|package\.json|descriptor\.binpb|(dist|src)\/.+\.ts|dist\/.+\.(js|map)|.+\.proto)$/;
    expect([...files].filter((file) => !useful.test(file))).toEqual([]);
  });

  it('has the sources that its maps name', async () => {
    const missing: string[] = [];
    for (const map of [...files].filter((file) => file.endsWith('.map'))) {
      const { sources } = JSON.parse(await readFile(join(root, workspace, map), 'utf8')) as { sources: string[] };
      const paths = sources.map((source) => normalize(join(dirname(map), source)));
      // What is left in dist of a source that was removed is another matter.
      missing.push(...paths.filter((path) => existsSync(join(root, workspace, path)) && !files.has(path)));
    }
    expect(missing).toEqual([]);
  });

  it('needs the other packages in the version they have', async () => {
    for (const [name, range] of Object.entries(manifest.dependencies ?? {})) {
      if (name.startsWith('@leasehold/')) expect(range).toBe((await manifestOf(name.slice('@leasehold/'.length))).version);
    }
  });
});

describe('the SDK, installed from its tarball into an empty project', () => {
  let project: Project | undefined;
  let unreachable: string | undefined;
  let server: ServerProcess | undefined;

  beforeAll(async () => {
    server = await ServerProcess.launch();
    const tarballs = ['proto', 'core', 'sdk'].map((name) => join(folder, packages.get(name)?.filename ?? ''));
    const outcome = await Project.install(tarballs);
    if (typeof outcome !== 'string') project = outcome;
    // In CI it has to run.
    else if (process.env['CI'] !== undefined) throw new Error(outcome);
    else unreachable = outcome;
  });

  beforeEach(({ skip }) => {
    skip(unreachable !== undefined, unreachable);
  });

  afterAll(async () => {
    await project?.remove();
    await server?.stop();
  });

  const installed = (): Project => {
    if (project === undefined) throw new Error('Nothing is installed');
    return project;
  };

  const environment = (): Record<string, string> => ({ SERVER: server?.address ?? '' });

  const work = `
    const client = createClient({ endpoints: [process.env.SERVER], watchdog: { onBlocked: 'warn' } });
    const { granted } = await client.acquire('packed');
    granted.assertHeld();
    await granted.release();
    console.log(granted.status, (await client.get('packed')).state);
    await client.close();
  `;

  it('holds a lease for an ES module', async () => {
    const program = `import { createClient } from '@leasehold/sdk';\n${work}`;
    expect(await installed().runProgram('program.mjs', program, environment())).toBe('lost AVAILABLE');
  });

  it('holds a lease for a CommonJS module', async () => {
    const program = `const { createClient } = require('@leasehold/sdk');\n(async () => {${work}})();`;
    expect(await installed().runProgram('program.cjs', program, environment())).toBe('lost AVAILABLE');
  });

  const workInTests = `
    const server = await TestServer.start();
    const { granted } = await server.client().acquire('packed', { durationMs: 3000 });
    const next = server.client({ holder: 'next' }).acquire('packed', { waitMs: 120000 });
    await server.clock.advance(60000);
    console.log(granted.status);
    await granted.release();
    await server.clock.advance(0);
    console.log((await next).granted.holder);
    await server.close();
  `;

  it('brings its testing kit for an ES module', async () => {
    const program = `import { TestServer } from '@leasehold/sdk/testing';\n${workInTests}`;
    expect(await installed().runProgram('testing.mjs', program)).toBe('held\nnext');
  });

  it('brings its testing kit for a CommonJS module', async () => {
    const program = `const { TestServer } = require('@leasehold/sdk/testing');\n(async () => {${workInTests}})();`;
    expect(await installed().runProgram('testing.cjs', program)).toBe('held\nnext');
  });

  it('is one and the same to import and require, by every entry', async () => {
    const entries = Object.keys((await manifestOf('sdk')).exports).filter((path) => path !== './package.json');
    const program = `
      (async () => {
        for (const entry of ${JSON.stringify(entries)}) {
          const id = entry.replace('.', '@leasehold/sdk');
          const [required, imported] = [require(id), await import(id)];
          console.log(entry, Object.keys(imported).length > 0 && Object.keys(imported).every((key) => required[key] === imported[key]));
        }
      })();`;
    expect((await installed().runProgram('entries.cjs', program)).split('\n')).toEqual(entries.map((entry) => `${entry} true`));
  });

  const typed = `
    import { createClient, LeaseLostError, type Lease, type HeldLease } from '@leasehold/sdk';

    export async function main(signal: AbortSignal): Promise<bigint | undefined> {
      const client = createClient({ endpoints: ['127.0.0.1:7400'] });
      const { granted, busy } = await client.acquire('packed', { waitMs: 1000, signal });
      if (granted === undefined) throw new Error(busy.holder);
      const lease: HeldLease = granted;
      const record: Lease = await lease.setAnnotations({ address: '10.0.0.7:80' });
      const reason: unknown = lease.signal.reason;
      await client[Symbol.asyncDispose]();
      // @ts-expect-error a token is a bigint
      await client.release('packed', { fencingToken: 1 });
      return reason instanceof LeaseLostError ? reason.data.fencingToken : record.fencingToken;
    }
  `;
  const strict = { strict: true, exactOptionalPropertyTypes: true, target: 'es2023' };

  it('compiles in a strict program under nodenext, by import and by require', async () => {
    const complaints = await installed().compile(
      { 'imports.mts': typed, 'requires.cts': typed },
      { ...strict, module: 'nodenext', types: ['node'] },
    );
    expect(complaints).toEqual([]);
  });

  it('compiles in a strict program for a bundler, which may know no Node', async () => {
    const options = {
      ...strict,
      module: 'esnext',
      moduleResolution: 'bundler',
      lib: ['es2023', 'esnext.disposable', 'dom'],
      types: [],
    };
    expect(await installed().compile({ 'bundled.ts': typed }, options)).toEqual([]);
  });

  it('brings no native module and needs no install script', async () => {
    const native = (await installed().installed()).filter((path) => /\.node$|(^|\/)binding\.gyp$/.test(path));
    expect(native).toEqual([]);
    // That of protobufjs, which grpc-js needs, prints a notice; here it was not run.
    expect(await installed().installScripts()).toEqual(['protobufjs: node scripts/postinstall']);
  });

  it('is small', async () => {
    const size = await installed().size();
    const tarball = packages.get('sdk')?.size ?? Infinity;
    const message = `the tarball has ${tarball} bytes, all that is installed ${size}`;
    expect(tarball, message).toBeLessThan(250_000);
    expect(size, message).toBeLessThan(25_000_000);
  });
});

/** Whether a packed file is what a path of package.json means, which may have a star. */
function matches(file: string, path: string): boolean {
  const [before = '', after] = path.replace('./', '').split('*');
  return after === undefined ? file === before : file.startsWith(before) && file.endsWith(after);
}
