// Generates gen/ and descriptor.binpb from the .proto files. Both are committed; `.ci/run` runs this again and fails on a difference.
import { execFileSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const cwd = fileURLToPath(new URL('.', import.meta.url));
const buf = fileURLToPath(new URL('../node_modules/.bin/buf', import.meta.url));
const run = (...args) => execFileSync(buf, args, { cwd, stdio: 'inherit' });

rmSync(new URL('gen', import.meta.url), { recursive: true, force: true });
// The health service is here for reflection only: its package has an implementation of its own.
run('generate', '--include-imports', '--exclude-path', 'grpc');
run('build', '--output', 'descriptor.binpb');
