import { readFile } from 'node:fs/promises';
import { OptionError } from './parse.js';

/** Reads a file that an option names. @throws {OptionError} it cannot be read. The message says nothing of what it holds. */
export async function readOptionFile(flag: string, path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
    return refuseFile(flag, `must be a file that can be read (${code})`, path);
  }
}

/** @throws {OptionError} always: the file breaks a rule. */
export function refuseFile(flag: string, rule: string, path: string | undefined): never {
  throw new OptionError(`Invalid ${flag}: ${rule}, got ${JSON.stringify(path)}`);
}
