import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Where `.ci/toolchains` installs what is not on the path. */
const cache = fileURLToPath(new URL('../.cache/', import.meta.url));

/** The `grpcurl` program. */
export const grpcurl: string | undefined = find(join(cache, 'bin', 'grpcurl'), 'grpcurl');

/** The `kubectl` program. */
export const kubectl: string | undefined = find(join(cache, 'bin', 'kubectl'), 'kubectl');

/** A Python that has grpcio and grpcio-tools. */
export const python: string | undefined = find(join(cache, 'python', 'bin', 'python'));

/** A Python that has kubernetes. */
export const pythonKubernetes: string | undefined = find(join(cache, 'python-kubernetes', 'bin', 'python'));

/** Whether to skip the tests of a client whose tool is missing: on a developer's machine. In CI they run, and fail. */
export function missing(tool: string | undefined): boolean {
  return tool === undefined && process.env['CI'] === undefined;
}

/** The path of a tool that is there. @throws it is not. */
export function required(tool: string | undefined): string {
  if (tool === undefined) {
    throw new Error('A tool is missing: run .ci/toolchains');
  }
  return tool;
}

function find(installed: string, name?: string): string | undefined {
  const onPath = name === undefined ? [] : (process.env['PATH'] ?? '').split(delimiter).map((folder) => join(folder, name));
  return [installed, ...onPath].find((path) => existsSync(path));
}
