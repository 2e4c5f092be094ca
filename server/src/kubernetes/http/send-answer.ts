import type { OutgoingHttpHeaders, ServerResponse } from 'node:http';
import type { ApiAnswer } from '../request.js';
import { streamOf } from './http2-stream.js';

/** Answers a request. */
export function sendAnswer(response: ServerResponse, { code, headers, contentType, body }: ApiAnswer): void {
  // As bytes from here on: of a long text that waits for its client, both would be held otherwise.
  const bytes = typeof body === 'string' ? Buffer.from(body) : body;
  const { length } = bytes;
  const head: OutgoingHttpHeaders = { 'cache-control': 'no-cache, private', ...headers };
  if (length > 0) head['content-type'] = contentType;
  // What is not modified is not empty.
  if (length > 0 || code !== 304) head['content-length'] = length;
  const stream = streamOf(response);
  if (stream === undefined) {
    response.writeHead(code, head);
    response.end(bytes);
  } else if (!stream.destroyed && !stream.closed) {
    const endStream = length === 0 || response.req.method === 'HEAD';
    stream.respond({ ...head, ':status': code }, { endStream });
    if (!endStream) stream.end(bytes);
  }
}
