import { destination, pino, stdTimeFunctions, type Logger } from 'pino';
import type { LogLevel } from './options/values.js';

/**
 * Structured logs: JSON lines on standard output. Labels, annotations and page tokens never appear in them.
 */
export type Log = Logger;

/** Makes the log of a process. Writes are synchronous, so that nothing is lost when the process ends. */
export function createLog(level: LogLevel): Log {
  return pino({ level, base: { pid: process.pid }, timestamp: stdTimeFunctions.isoTime }, destination({ dest: 1, sync: true }));
}

/** A log that writes nothing. */
export function silentLog(): Log {
  return pino({ level: 'silent' });
}
