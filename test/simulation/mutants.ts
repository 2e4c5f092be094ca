import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { loadKit, type Kit } from './kit.js';

/** A fault to plant: which text of which built file becomes what. */
export interface Fault {
  readonly package: 'core' | 'server';
  readonly file: string;
  /** Stands in the file exactly once. */
  readonly text: string;
  readonly becomes: string;
}

/**
 * Copies the built server, and the core under it, and plants faults in the copies.
 *
 * @throws a text to replace is not there exactly once: then the code has changed, and the fault has to be written anew.
 */
export async function plant(name: string, faults: readonly Fault[], root: URL): Promise<Kit> {
  const directory = new URL(`test/.cache/mutants/${name}/`, root);
  const server = new URL('server/', directory);
  // Where the copy of the server finds the copy of core, before that of the workspace.
  const core = new URL('node_modules/@leasehold/core/', directory);
  await rm(directory, { recursive: true, force: true });
  for (const [from, to] of [['server', server] as const, ['core', core] as const]) {
    await mkdir(to, { recursive: true });
    for (const part of ['dist', 'package.json'])
      await cp(new URL(`${from}/${part}`, root), new URL(part, to), { recursive: true });
  }
  for (const fault of faults) await replace(new URL(`dist/${fault.file}`, fault.package === 'server' ? server : core), fault);
  return loadKit(core, server);
}

async function replace(file: URL, { text, becomes }: Fault): Promise<void> {
  const code = await readFile(file, 'utf8');
  const times = code.split(text).length - 1;
  if (times !== 1) throw new Error(`Plant a fault in ${fileURLToPath(file)}: expected once, found ${times} times:\n${text}`);
  await writeFile(
    file,
    code.replace(text, () => becomes),
  );
}
