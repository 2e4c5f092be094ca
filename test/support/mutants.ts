import { execFile } from 'node:child_process';
import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

/** A fault to plant: which text of which built file becomes what. */
export interface Fault {
  readonly package: 'core' | 'sdk' | 'server';
  readonly file: string;
  /** Stands in the file exactly once. */
  readonly text: string;
  readonly becomes: string;
}

/** Where the copies are. */
export interface Mutant {
  readonly top: 'sdk' | 'server';
  readonly package: URL;
  readonly core: URL;
}

/**
 * Copies a built package, and the core under it, and plants faults in the copies.
 *
 * @throws a text to replace is not there exactly once: then the code has changed, and the fault has to be written anew.
 */
export async function plantFaults(name: string, top: 'sdk' | 'server', faults: readonly Fault[]): Promise<Mutant> {
  const directory = new URL(`test/.cache/mutants/${top}/${name}/`, root);
  // Where the copy of the package finds the copy of core, before that of the workspace.
  const mutant: Mutant = {
    top,
    package: new URL(`${top}/`, directory),
    core: new URL('node_modules/@leasehold/core/', directory),
  };
  await rm(directory, { recursive: true, force: true });
  for (const [from, to] of [[top, mutant.package] as const, ['core', mutant.core] as const]) {
    await mkdir(to, { recursive: true });
    for (const part of ['dist', 'package.json'])
      await cp(new URL(`${from}/${part}`, root), new URL(part, to), { recursive: true });
  }
  for (const fault of faults) {
    const to = fault.package === 'core' ? mutant.core : mutant.package;
    await replace(new URL(`dist/${fault.file}`, to), fault);
  }
  return mutant;
}

/** A test by the file it stands in, below `test`, and its full name. */
export interface TestName {
  readonly file: string;
  readonly name: string;
}

/** How a test ended. */
export interface TestOutcome {
  readonly state: 'passed' | 'failed';
  readonly errors: readonly { readonly name: string; readonly message: string }[];
}

/** Runs a test on a mutated package: its outcome; none where it is skipped, or is not there. */
export async function testMutant(
  { top, core, package: mutated }: Mutant,
  { file, name }: TestName,
): Promise<readonly TestOutcome[]> {
  const script = fileURLToPath(new URL('test-mutant.mjs', import.meta.url));
  const pattern = `^${name.replaceAll(/[^\w ]/g, '\\$&')}$`;
  const options = { cwd: fileURLToPath(root), timeout: 100_000 };
  const { stdout } = await run(process.execPath, [script, `test/${file}`, pattern, core.href, top, mutated.href], options);
  return JSON.parse(stdout) as readonly TestOutcome[];
}

const run = promisify(execFile);

const root = new URL('../../', import.meta.url);

async function replace(file: URL, { text, becomes }: Fault): Promise<void> {
  const code = await readFile(file, 'utf8');
  const times = code.split(text).length - 1;
  if (times !== 1) throw new Error(`Plant a fault in ${fileURLToPath(file)}: expected once, found ${times} times:\n${text}`);
  await writeFile(
    file,
    code.replace(text, () => becomes),
  );
}
