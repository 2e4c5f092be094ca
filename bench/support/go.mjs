// Programs in Go that the benchmark needs, built once into bench/.cache.
import { existsSync, mkdirSync, readdirSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { join } from 'node:path';
import { run } from './process.mjs';

const cache = fileURLToPath(new URL('../.cache', import.meta.url));

/** The path of the program built from `folder`; built again when a source file is newer. */
export async function goProgram(folder, name) {
  const program = join(cache, name);
  const newest = Math.max(
    ...readdirSync(folder)
      .filter((file) => /\.(go|mod|sum)$/.test(file))
      .map((file) => statSync(join(folder, file)).mtimeMs),
  );
  if (!existsSync(program) || statSync(program).mtimeMs < newest) {
    mkdirSync(cache, { recursive: true });
    console.error(`Building ${name}; the first time this takes a few minutes.`);
    await run('go', ['build', '-o', program, '.'], { cwd: folder });
  }
  return program;
}
