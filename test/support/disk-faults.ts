import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/**
 * A disk that fails on command, for child processes: `disk-faults.c`, compiled and preloaded.
 *
 * Use: `const faults = diskFaults(file)`, start the child with `env: { ...process.env, ...faults.env }`, turn faults on and off while
 * it runs, and `dispose` in the end. Skip the test by name where `hasDiskFaults` is false: there is no C compiler, or no LD_PRELOAD.
 */
export interface DiskFaults {
  /** For the environment of the child. */
  readonly env: Readonly<Record<'LD_PRELOAD' | 'DISK_FAULTS_CONTROL' | 'DISK_FAULTS_FILE', string>>;
  /** From now on syncs fail with EIO, or no longer. `pathEnd`: only those of files whose path ends so; default: all. */
  failSync(on: boolean, pathEnd?: string): void;
  /** From now on syncs do not return, or all of them do again. */
  stallSync(on: boolean): void;
  /** Stalls syncs for so long; resolves when they go on. */
  stallSyncFor(durationMs: number): Promise<void>;
  /** From now on writes find no room (ENOSPC), or do again. */
  full(on: boolean): void;
  /** Whether a fault was met since the last time this was asked. */
  seen(): boolean;
  /** Removes everything; to be called once the child is gone. */
  dispose(): void;
}

/** Faults for files whose path contains `file`: of a SQLite store, its log and its lock file too. */
export function diskFaults(file: string): DiskFaults {
  const control = mkdtempSync(join(tmpdir(), 'leasehold-faults-'));
  const library = compileInto(control);
  const turn = (fault: string, on: boolean, content = ''): void => {
    if (on) {
      writeFileSync(join(control, fault), content);
    } else {
      rmSync(join(control, fault), { force: true });
    }
  };
  return {
    env: { LD_PRELOAD: library, DISK_FAULTS_CONTROL: control, DISK_FAULTS_FILE: file },
    failSync: (on, pathEnd) => turn('fail-sync', on, pathEnd),
    stallSync: (on) => turn('stall-sync', on),
    stallSyncFor: async (durationMs) => {
      turn('stall-sync', true);
      await new Promise((resolve) => setTimeout(resolve, durationMs));
      turn('stall-sync', false);
    },
    full: (on) => turn('full', on),
    seen: () => {
      const seen = existsSync(join(control, 'seen'));
      turn('seen', false);
      return seen;
    },
    dispose: () => rmSync(control, { recursive: true, force: true }),
  };
}

/** The C compiler of this machine; `undefined`: there is none, or it would be of no use. */
const compiler = process.platform === 'linux' ? ['gcc', 'cc', 'clang'].find(runs) : undefined;

/** Whether faults can be made on this machine. */
export const hasDiskFaults: boolean = compiler !== undefined;

function runs(command: string): boolean {
  return spawnSync(command, ['--version'], { stdio: 'ignore' }).status === 0;
}

function compileInto(directory: string): string {
  if (compiler === undefined) {
    throw new Error('Disk faults need Linux and a C compiler');
  }
  const library = join(directory, 'disk-faults.so');
  const source = fileURLToPath(new URL('./disk-faults.c', import.meta.url));
  execFileSync(compiler, ['-shared', '-fPIC', '-O1', '-Wall', '-o', library, source, '-ldl'], { stdio: 'pipe' });
  return library;
}
