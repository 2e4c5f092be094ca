import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const binaries = fileURLToPath(new URL('../../.cache/bin/', import.meta.url));

/** Versions of client-go that the programs are built with. The older one is the first that sends protobuf of itself. */
export const versions = ['0.32', 'latest'] as const;
export type Version = (typeof versions)[number];

/** What the bodies of typed clients are in: what client-go takes of itself, or JSON. */
export type Bodies = 'protobuf' | 'json';

/** Every version with every form of bodies. */
export const combinations = versions.flatMap((version) => (['protobuf', 'json'] as const).map((bodies) => ({ version, bodies })));

const hasGo = (process.env['PATH'] ?? '').split(delimiter).some((folder) => existsSync(join(folder, 'go')));

/** For the name of tests that need Go: why they are skipped, if they are. In CI they run, and fail. */
export const why = hasGo || process.env['CI'] !== undefined ? '' : ' (skipped: there is no Go on this machine)';

/** Builds the programs that are missing or older than their sources; `.ci/toolchains` has done it before. The first time takes minutes. */
export async function buildPrograms(): Promise<void> {
  await promisify(execFile)(fileURLToPath(new URL('go/build', import.meta.url)), { maxBuffer: 1e8 });
}

/** How long that may take. */
export const buildPatience = 1_200_000;

/** Where a program is: `clients`, `crud` or `tutorial`. */
export function programOf(version: Version, name: string): string {
  return join(binaries, `client-go-${version}`, name);
}
