import { FakeClock, settle } from '@leasehold/sdk/testing';
import { describe, expect, it } from 'vitest';

describe('a fake clock', () => {
  it('stands still until it is moved, and runs timers at their instants and in their order', async () => {
    const clock = new FakeClock();
    const start = clock.monotonicMs();
    const ran: string[] = [];
    for (const [name, delayMs] of [
      ['c', 30],
      ['a', 10],
      ['b', 10],
      ['d', 31],
    ] as const) {
      clock.after(delayMs, () => ran.push(`${name} ${clock.monotonicMs() - start}`));
    }
    await settle();
    expect(ran).toEqual([]);
    await clock.advance(30);
    expect(ran).toEqual(['a 10', 'b 10', 'c 30']);
    expect(clock.monotonicMs()).toBe(start + 30);
    expect(clock.timers).toBe(1);
  });

  it('lets everything that follows from a timer run before the next one, however long the chain', async () => {
    const clock = new FakeClock();
    const ran: string[] = [];
    clock.after(1, () => {
      void (async () => {
        for (let step = 0; step < 1_000; step += 1) await Promise.resolve();
        ran.push('after a thousand promises');
        await new Promise((resolve) => setImmediate(resolve));
        ran.push('after a turn of the loop');
      })();
    });
    clock.after(1, () => ran.push('next timer'));
    await clock.advance(1);
    expect(ran).toEqual(['after a thousand promises', 'after a turn of the loop', 'next timer']);
  });

  it('runs a timer that another one has set for the same stretch', async () => {
    const clock = new FakeClock();
    let ticks = 0;
    const tick = (): void => {
      ticks += 1;
      clock.after(10, tick);
    };
    clock.after(10, tick);
    await clock.advance(1_000);
    expect(ticks).toBe(100);
  });

  it('goes step by step where each is to be looked at', async () => {
    const clock = new FakeClock();
    const start = clock.monotonicMs();
    clock.after(10, () => undefined);
    clock.process().after(30, () => undefined);
    const steps: unknown[] = [];
    for (let step = 0; step < 4; step += 1) steps.push([await clock.step(25), clock.monotonicMs() - start]);
    expect(steps).toEqual([
      [true, 10],
      [true, 30],
      [false, 55],
      [false, 80],
    ]);
  });

  it('cancels timers, also those that have run', async () => {
    const clock = new FakeClock();
    const ran: number[] = [];
    const cancels = Array.from({ length: 100 }, (_, index) => clock.after(100 - index, () => ran.push(100 - index)));
    cancels.forEach((cancel, index) => {
      if (index % 3 !== 0) cancel();
    });
    expect(clock.timers).toBe(34);
    await clock.advance(50);
    cancels.at(-1)?.();
    for (const cancel of cancels) cancel();
    expect(clock.timers).toBe(0);
    await clock.advance(50);
    expect(ran).toEqual(Array.from({ length: 17 }, (_, index) => 1 + index * 3));
  });

  it('keeps ten thousand timers in order', async () => {
    const clock = new FakeClock();
    const start = clock.monotonicMs();
    const ran: number[] = [];
    for (let index = 0; index < 10_000; index += 1) clock.after((index * 7_919) % 10_000, () => ran.push(clock.monotonicMs()));
    await clock.advance(10_000);
    expect(ran).toEqual(Array.from({ length: 10_000 }, (_, index) => start + index));
  });

  it('moves the wall clock alone by a jump', async () => {
    const clock = new FakeClock();
    const before = { monotonicMs: clock.monotonicMs(), bootMs: clock.bootMs(), wallMs: clock.wallMs() };
    clock.jumpWall(-5_000);
    await clock.advance(1_000);
    expect(clock.monotonicMs() - before.monotonicMs).toBe(1_000);
    expect(clock.bootMs() - before.bootMs).toBe(1_000);
    expect(clock.wallMs() - before.wallMs).toBe(-4_000);
  });

  it('has jitter of 0, or whatever it is given', () => {
    expect(new FakeClock().random()).toBe(0);
    const clock = new FakeClock({ random: () => 0.25 });
    expect(clock.random()).toBe(0.25);
    expect(clock.process().random()).toBe(0.25);
    expect(clock.process({ random: () => 0.5 }).random()).toBe(0.5);
  });
});

describe('clocks of several processes', () => {
  it('share true time at rates of their own, and each runs its timers by its own time', async () => {
    const clock = new FakeClock();
    const fast = clock.process({ rate: 1.25, offsetMs: 500 });
    expect(fast.monotonicMs()).toBe(clock.monotonicMs());
    expect(fast.wallMs() - clock.wallMs()).toBe(500);
    const start = clock.monotonicMs();
    const ran: string[] = [];
    clock.after(1_000, () => ran.push(`true ${clock.monotonicMs() - start}`));
    fast.after(1_000, () => ran.push(`fast ${clock.monotonicMs() - start} ${fast.monotonicMs() - start}`));
    await fast.advance(1_000);
    expect(ran).toEqual(['fast 800 1000', 'true 1000']);
    expect(fast.monotonicMs() - start).toBe(1_250);
    expect(fast.wallMs() - clock.wallMs()).toBe(750);
  });

  it('never let a timer run before its delay has passed on the clock that set it', async () => {
    const clock = new FakeClock();
    for (const rate of [0.99, 0.997, 1.003, 1.01, Math.PI]) {
      const other = clock.process({ rate });
      for (let delayMs = 0.1; delayMs < 100; delayMs *= 1.7) {
        const dueMs = other.monotonicMs() + delayMs;
        let ranMs = 0;
        other.after(delayMs, () => (ranMs = other.monotonicMs()));
        await clock.advance(delayMs * 1.1);
        expect(ranMs).toBeGreaterThanOrEqual(dueMs);
        expect(other.monotonicMs()).toBeGreaterThanOrEqual(ranMs);
      }
    }
  });

  it('pauses one of them: its clocks go on, what was due runs late, what arrived first', async () => {
    const clock = new FakeClock();
    const paused = clock.process();
    const start = clock.monotonicMs();
    const ran: string[] = [];
    const note = (what: string) => () => ran.push(`${what} ${clock.monotonicMs() - start}`);
    paused.after(100, note('timer'));
    clock.after(100, note('other'));
    paused.pause();
    expect(paused.running).toBe(false);
    paused.soon(note('message'));
    await clock.advance(1_000);
    expect(ran).toEqual(['other 100']);
    expect(paused.monotonicMs() - start).toBe(1_000);
    paused.resume();
    await settle();
    expect(ran).toEqual(['other 100', 'message 1000']);
    paused.resume();
    await clock.advance(0);
    expect(ran).toEqual(['other 100', 'message 1000', 'timer 1000']);
  });

  it('stalls one of them while the others run', async () => {
    const clock = new FakeClock();
    const stalled = clock.process();
    const ran: string[] = [];
    stalled.after(10, () => ran.push('stalled'));
    clock.after(400, () => ran.push('other'));
    await stalled.stall(500);
    expect(ran).toEqual(['other', 'stalled']);
  });

  it('suspends the machine of one: its monotonic clock and its timers stand still, the others of its clocks do not', async () => {
    const clock = new FakeClock();
    const laptop = clock.process({ rate: 1.01 });
    const before = { monotonicMs: laptop.monotonicMs(), bootMs: laptop.bootMs(), wallMs: laptop.wallMs() };
    let ranMs = 0;
    laptop.after(1_010, () => (ranMs = clock.monotonicMs()));
    const start = clock.monotonicMs();
    laptop.suspend();
    await clock.advance(60_000);
    expect(laptop.monotonicMs()).toBe(before.monotonicMs);
    laptop.resume();
    await clock.advance(0);
    expect(laptop.monotonicMs() - before.monotonicMs).toBeCloseTo(0, 6);
    expect(laptop.bootMs() - before.bootMs).toBeCloseTo(60_600, 6);
    expect(laptop.wallMs() - before.wallMs).toBeCloseTo(60_600, 6);
    expect(ranMs).toBe(0);
    await clock.advance(1_001);
    expect(ranMs - start).toBeCloseTo(61_000, 6);
  });

  it('kills one of them for good', async () => {
    const clock = new FakeClock();
    const killed = clock.process();
    const ran: string[] = [];
    killed.after(10, () => ran.push('timer'));
    killed.pause();
    killed.soon(() => ran.push('message'));
    await settle();
    killed.kill();
    killed.after(10, () => ran.push('timer'));
    killed.soon(() => ran.push('message'));
    killed.resume();
    await clock.advance(100);
    expect(ran).toEqual([]);
    expect(killed.timers).toBe(0);
    expect(killed.running).toBe(false);
  });
});
