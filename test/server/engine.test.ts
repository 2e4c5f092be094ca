import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { defaultLimits, MemoryStore, startCoordinator, type Clock, type Store } from '@leasehold/core';
import { pino } from 'pino';
import { describe, expect, test } from 'vitest';
import { Engine } from '../../server/dist/engine.js';

describe('an engine whose store has failed', () => {
  test('tries again with growing pauses, and gives up after a minute', async () => {
    const bench = new Bench();
    await bench.engine.start();
    bench.broken = true;
    bench.fail(new Error('the disk is gone'));
    expect(bench.unavailable).toBe(1);
    expect(() => bench.engine.current()).toThrow('is being opened again');
    while (bench.givenUp === 0) {
      await bench.advance();
    }
    expect(bench.pauses.slice(0, 7)).toEqual([100, 200, 400, 800, 1600, 3200, 5000]);
    expect(new Set(bench.pauses.slice(7))).toEqual(new Set([5000]));
    expect(bench.nowMs).toBeGreaterThanOrEqual(60_000);
    expect(bench.nowMs).toBeLessThan(70_000);
    expect(bench.closed).toBe(1);
  });

  test('serves again once the store can be opened', async () => {
    const bench = new Bench();
    await bench.engine.start();
    const first = bench.engine.current();
    bench.fail(new Error('the disk hiccups'));
    await bench.advance();
    expect(bench.available).toBe(1);
    expect(bench.engine.current()).not.toBe(first);
    await bench.engine.drain();
    expect(() => bench.engine.current()).toThrow('shutting down');
  });

  test('has let go of everything by the time it opens the store again, for there may be no room for all leases twice', async () => {
    const bench = new Bench();
    await bench.engine.start();
    const coordinator = new WeakRef(bench.engine.current());
    bench.broken = true;
    bench.fail(new Error('the disk hiccups'));
    bench.fail = () => undefined;
    await bench.advance();
    collectGarbage();
    expect(coordinator.deref()).toBeUndefined();
    expect(bench.opened?.deref()).toBeUndefined();
  });

  test('stops trying when it is drained, and says that the store had failed', async () => {
    const bench = new Bench();
    await bench.engine.start();
    bench.broken = true;
    bench.fail(new Error('the disk is gone'));
    await bench.advance();
    const drained = expect(bench.engine.drain()).rejects.toThrow('the store had failed');
    await bench.advance();
    await drained;
    expect(bench.pauses).toEqual([100, 200]);
  });
});

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

/** An engine whose clock and store are the test's. */
class Bench {
  readonly engine: Engine;
  readonly pauses: number[] = [];
  nowMs = 0;
  broken = false;
  unavailable = 0;
  available = 0;
  givenUp = 0;
  closed = 0;
  /** The store that was opened last. */
  opened: WeakRef<Store> | undefined;
  /** Makes the running coordinator report a failure. */
  fail: (error: Error) => void = () => undefined;
  #timer: (() => void) | undefined;

  constructor() {
    const clock: Clock = {
      monotonicMs: () => this.nowMs,
      wallMs: () => 1,
      after: (delayMs, action) => {
        this.pauses.push(delayMs);
        this.#timer = () => {
          this.nowMs += delayMs;
          action();
        };
        return () => undefined;
      },
      soon: (action) => void setImmediate(action),
    };
    // The coordinator's own timers are none of this test's business.
    const still: Clock = { ...clock, after: () => () => undefined };
    this.engine = new Engine({
      openStore: () => this.#open(),
      startCoordinator: (options) => {
        this.fail = (error) => {
          options.onFailure(error);
        };
        return startCoordinator(options);
      },
      coordinator: { clock: still, limits: defaultLimits, newUid: () => 'uid' },
      clock,
      log: pino({ level: 'silent' }),
      onUnavailable: () => this.unavailable++,
      onAvailable: () => this.available++,
      onGivenUp: () => this.givenUp++,
    });
  }

  /** Lets the pause that is under way pass. */
  async advance(): Promise<void> {
    while (this.#timer === undefined) {
      await new Promise((resolve) => setImmediate(resolve));
    }
    const timer = this.#timer;
    this.#timer = undefined;
    timer();
    await new Promise((resolve) => setImmediate(resolve));
  }

  #open(): Promise<Store> {
    if (this.broken) {
      return Promise.reject(new Error('cannot be opened'));
    }
    const closed = (): void => {
      this.closed++;
    };
    class WatchedStore extends MemoryStore {
      override close(): Promise<void> {
        closed();
        return super.close();
      }
    }
    const store = new WatchedStore({ wallMs: () => 1 });
    this.opened = new WeakRef(store);
    return Promise.resolve(store);
  }
}
