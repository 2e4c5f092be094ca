import { STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import type { ApiAnswer } from '../request.js';

/** Answers on a connection that Node has let go of, such as one whose request asked for an upgrade, and closes it. */
export function answerOnSocket(socket: Duplex, { code, headers, contentType, body }: ApiAnswer): void {
  const all = { ...headers, 'content-type': contentType, 'content-length': Buffer.byteLength(body), connection: 'close' };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.write(`HTTP/1.1 ${code} ${STATUS_CODES[code] ?? ''}\r\n${lines.join('')}\r\n`);
  socket.end(body);
}

/** Answers what cannot be read as HTTP. What makes no sense at all gets no words either. */
export function answerUnreadable(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (!socket.writable || error.code === 'ECONNRESET') {
    socket.destroy();
    return;
  }
  const code = unreadable[error.code ?? ''];
  if (code === undefined) {
    socket.end('HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n');
    return;
  }
  const body = `${code} ${STATUS_CODES[code] ?? ''}`;
  answerOnSocket(socket, { code, contentType: 'text/plain; charset=utf-8', body });
}

const unreadable: Readonly<Record<string, number>> = { ERR_HTTP_REQUEST_TIMEOUT: 408, HPE_HEADER_OVERFLOW: 431 };
