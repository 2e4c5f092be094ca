// gRPC frames as the load generator reads them from a file: a zero byte, the length in four bytes, the message.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Runs `action` with the path of a file of frames, which is removed afterwards. */
export async function withFrames(messages, action) {
  const folder = mkdtempSync(join(tmpdir(), 'leasehold-bench-'));
  try {
    const path = join(folder, 'frames');
    writeFileSync(path, Buffer.concat(messages.map(frame)));
    return await action(path);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** One message, framed. */
function frame(message) {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}
