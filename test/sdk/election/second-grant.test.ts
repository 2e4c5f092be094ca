import { createClient, UnavailableError } from '@leasehold/sdk';
import { FakeClock, TestServer } from '@leasehold/sdk/testing';
import { expect, it, onTestFinished } from 'vitest';

/**
 * A win that is not confirmed in time is given up, and its release is held up on the way. The server, which has restarted, counts the
 * tenure in full for longer than the elector expects. Asked again under the same id, it grants the same tenure a second time.
 */
it('does not lead under a token that it has released, though the server grants it a second time', async () => {
  const clock = new FakeClock();
  const server = await TestServer.start({ clock });
  onTestFinished(() => server.close());
  const transport = server.transport();
  const release = transport.release.bind(transport);
  const heldUp: (() => void)[] = [];
  transport.release = (request, call) =>
    new Promise((_, reject) => {
      heldUp.push(() => void release(request, call).catch(() => undefined));
      const late = { code: 'DEADLINE_EXCEEDED', reason: 'DEADLINE_EXCEEDED', message: 'late', retryable: true };
      clock.after(call.timeoutMs, () => reject(new UnavailableError(late)));
    });
  const heartbeat = transport.heartbeat.bind(transport);
  let answers = false;
  transport.heartbeat = (sink) =>
    heartbeat({ onAnswer: (answer) => answers && sink.onAnswer(answer), onEnd: (error) => sink.onEnd(error) });
  const client = createClient({ transport, clock, holder: 'me', timeoutMs: 1_000 });
  const led: bigint[] = [];
  void client.elect('x', { leaseDurationMs: 5_000 }, async ({ fencingToken, signal }) => {
    led.push(fencingToken);
    await new Promise((resolve) => signal.addEventListener('abort', resolve));
  });
  await clock.advance(0);
  const { fencingToken } = await server.client().get('x');
  await clock.advance(3_000);
  await server.restart();
  answers = true;
  await clock.advance(4_500);
  for (const arrive of heldUp) arrive();
  await clock.advance(1_000);
  expect(led).not.toContain(fencingToken);
});
