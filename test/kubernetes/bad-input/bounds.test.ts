import { EventEmitter } from 'node:events';
import { connect } from 'node:net';
import { PassThrough } from 'node:stream';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, onTestFinished, test } from 'vitest';
import { FakeClock } from '@leasehold/sdk/testing';
import { AnswerRoom } from '../../../server/dist/kubernetes/http/answer-room.js';
import { BodyReader } from '../../../server/dist/kubernetes/http/body.js';
import { Closing } from '../../../server/dist/kubernetes/http/closing.js';
import { Slots } from '../../../server/dist/kubernetes/list/slots.js';
import { firstOf, required } from '../../../server/dist/kubernetes/validation/causes.js';
import { deferred, raw, serve, text } from '../http-support.js';

const KiB = 1024;

/** A response that a test closes. */
function response(): { closing: Closing; close: () => void } {
  const source = new EventEmitter();
  return { closing: new Closing(source), close: () => void source.emit('close') };
}

describe('the room for answers', () => {
  test('is for all long ones together, and is given back when their responses close', () => {
    const room = new AnswerRoom(250 * KiB);
    const [first, second, third] = [response(), response(), response()];
    expect(room.admits(100 * KiB, first.closing)).toBe(true);
    expect(room.admits(100 * KiB, second.closing)).toBe(true);
    expect(room.admits(100 * KiB, third.closing)).toBe(false);
    first.close();
    expect(room.admits(100 * KiB, third.closing)).toBe(true);
    // What was refused has taken nothing.
    [second, third].forEach(({ close }) => close());
    expect(room.admits(250 * KiB, response().closing)).toBe(true);
  });

  test('has a place for each short answer, and for any answer if there is no other', () => {
    const room = new AnswerRoom(250 * KiB);
    const alone = response();
    expect(room.admits(1000 * KiB, alone.closing)).toBe(true);
    for (let count = 0; count < 100; count += 1) expect(room.admits(64 * KiB, response().closing)).toBe(true);
    expect(room.admits(65 * KiB, response().closing)).toBe(false);
    alone.close();
    expect(room.admits(65 * KiB, response().closing)).toBe(true);
  });

  test('is not taken by a response that has closed', () => {
    const room = new AnswerRoom(100 * KiB);
    const gone = response();
    gone.close();
    expect(room.admits(100 * KiB, gone.closing)).toBe(true);
    expect(room.admits(100 * KiB, response().closing)).toBe(true);
  });
});

describe('the room for bodies', () => {
  test('is not needed for short ones: long ones that never end do not keep others from their renewals', async () => {
    const reader = new BodyReader(new FakeClock(), { bytesMax: 1000, allBytesMax: 1000, shortBytes: 100, timeoutMs: 1000 });
    const [long, short, other] = [new PassThrough(), new PassThrough(), new PassThrough()];
    const never = reader.read(long);
    long.write('x'.repeat(1000));
    await nextTurn();
    short.end('y'.repeat(100));
    expect((await reader.read(short)).length).toBe(100);
    other.end('z'.repeat(101));
    await expect(reader.read(other)).rejects.toMatchObject({ status: { code: 429 } });
    long.destroy();
    await expect(never).rejects.toThrow();
  });
});

describe('slots', () => {
  test('let a few work at once, and others in the order in which they came, whatever comes of it', async () => {
    const slots = new Slots(2);
    const begun: number[] = [];
    const works = Array.from({ length: 4 }, () => deferred());
    const done = works.map(({ promise }, index) =>
      slots.run(async () => {
        begun.push(index);
        await promise;
        if (index === 0) throw new Error('broken');
        return index;
      }),
    );
    await nextTurn();
    expect(begun).toEqual([0, 1]);
    works[0]!.resolve(undefined);
    await expect(done[0]).rejects.toThrow('broken');
    await nextTurn();
    expect(begun).toEqual([0, 1, 2]);
    works.forEach(({ resolve }) => resolve(undefined));
    expect(await Promise.all(done.slice(1))).toEqual([1, 2, 3]);
    expect(await slots.run(async () => 'again')).toBe('again');
  });
});

describe('of causes', () => {
  test('a hundred are enough, or less if they are long; the others are not even made', () => {
    let made = 0;
    const causes = function* (length: number) {
      for (;;) {
        made += 1;
        yield required('field', 'x'.repeat(length));
      }
    };
    expect(firstOf(causes(1))).toHaveLength(100);
    expect(made).toBe(100);
    expect(firstOf(causes(600 * KiB))).toHaveLength(2);
    expect(firstOf([])).toEqual([]);
  });
});

describe('requests on one connection of HTTP/1.1', () => {
  test('are asked one after the other, and those of others meanwhile', async () => {
    const asked: string[] = [];
    const go = deferred();
    const { port } = await serve(async ({ path }) => {
      asked.push(path);
      if (path === '/slow') await go.promise;
      return text(path);
    });
    const line = (path: string, more = ''): string => `GET ${path} HTTP/1.1\r\nHost: a\r\n${more}\r\n`;
    const first = raw(port, line('/slow') + line('/behind', 'Connection: close\r\n'));
    await expect.poll(() => asked).toEqual(['/slow']);
    await raw(port, line('/other', 'Connection: close\r\n'));
    expect(asked).toEqual(['/slow', '/other']);
    go.resolve(undefined);
    expect(await first).toMatch(/\/slow.*\/behind/s);
    expect(asked).toEqual(['/slow', '/other', '/behind']);
  });

  test('are not asked at all when their client has gone before it was their turn', async () => {
    const asked: string[] = [];
    const gone = deferred();
    const { port } = await serve(async ({ path, signal }) => {
      asked.push(path);
      signal.addEventListener('abort', () => gone.resolve(undefined));
      if (path === '/slow') await gone.promise;
      return text(path);
    });
    const socket = connect(port, '127.0.0.1');
    onTestFinished(() => void socket.destroy());
    socket.write('GET /slow HTTP/1.1\r\nHost: a\r\n\r\nDELETE /behind HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n');
    await expect.poll(() => asked).toEqual(['/slow']);
    socket.destroy();
    await gone.promise;
    await raw(port, 'GET /other HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
    expect(asked).toEqual(['/slow', '/other']);
  });
});
