import { writeSync } from 'node:fs';
import { workerData } from 'node:worker_threads';
import { threadMs } from '../clock.js';
import { WatchdogCell } from './watchdog-cell.js';
import { keepWatch } from './watchdog-loop.js';

/** What the thread is started with. */
export interface WatchdogThreadData {
  readonly onBlocked: 'warn' | 'kill';
  readonly toleranceMs: number;
  /** Of a `WatchdogCell`. */
  readonly buffer: SharedArrayBuffer;
}

// This thread does nothing else, and so is never blocked itself.
const { buffer, onBlocked, toleranceMs } = workerData as WatchdogThreadData;
const cell = new WatchdogCell(buffer);
keepWatch({
  toleranceMs,
  lookByMs: () => cell.lookByMs,
  nowMs: threadMs,
  sleep: (lookByMs, ms) => {
    cell.sleep(lookByMs, ms);
  },
  bite: () => {
    const blockedMs = Math.round(threadMs() - cell.lookedAtMs);
    const end = onBlocked === 'kill' ? `: killing process ${process.pid}` : '';
    try {
      // By hand, for what a console writes here goes through the thread that is blocked.
      writeSync(
        2,
        `leasehold: the event loop is blocked, for ${blockedMs} ms so far, past the end of lease ${cell.lease}${end}\n`,
      );
    } catch {
      // A pipe that is full or closed must not keep the rest from happening.
    }
    if (onBlocked === 'kill') process.kill(process.pid, 'SIGKILL');
  },
});
