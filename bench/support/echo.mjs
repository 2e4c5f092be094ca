// The bare grpc-js echo server, as a process of its own.
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { start } from './process.mjs';

export async function withEcho(action) {
  const server = start(process.execPath, [fileURLToPath(new URL('echo-server.mjs', import.meta.url))]);
  try {
    const [port] = await once(server.child.stdout, 'data');
    return await action({ address: `127.0.0.1:${String(port).trim()}`, pid: server.child.pid });
  } finally {
    await server.stop('SIGKILL');
  }
}
