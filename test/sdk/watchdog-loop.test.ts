import { describe, expect, it } from 'vitest';
import { keepWatch } from '../../sdk/dist/lease/watchdog-loop.js';

/** What another thread does in time: promises, by the instant at which it makes them. The last one ends the watch. */
type Script = readonly (readonly [atMs: number, lookByMs: number | undefined])[];

/** Keeps watch over a script in a time of its own, and tells when it bit. */
function bites(script: Script, stopped: readonly (readonly [fromMs: number, untilMs: number])[] = []): number[] {
  let nowMs = 0;
  const bitten: number[] = [];
  const promise = (): number | undefined => script.findLast(([atMs]) => atMs <= nowMs)?.[1];
  keepWatch({
    toleranceMs: 100,
    lookByMs: promise,
    nowMs: () => nowMs,
    sleep: (lookByMs, ms) => {
      if (promise() !== lookByMs) return;
      // An earlier promise wakes it; a later one does not.
      const woken = script.find(([atMs, next]) => atMs > nowMs && (next === undefined || next < lookByMs))?.[0] ?? Infinity;
      nowMs = Math.min(nowMs + ms, woken);
      for (const [fromMs, untilMs] of stopped) if (nowMs > fromMs && nowMs < untilMs) nowMs = untilMs;
    },
    bite: () => bitten.push(nowMs),
  });
  return bitten;
}

describe('a watchdog', () => {
  it('bites a tolerance after a promise that is not kept, once', () => {
    const script: Script = [
      [0, 500],
      [5_000, undefined],
    ];
    expect(bites(script)).toEqual([600]);
  });

  it('does not bite while promises are replaced in time, nor where there is none', () => {
    const script: Script = [
      [0, Infinity],
      [300, 500],
      [400, 900],
      [990, 1_200],
      [1_290, Infinity],
      [9_000, undefined],
    ];
    expect(bites(script)).toEqual([]);
  });

  it('bites again when the next promise is broken as well', () => {
    const script: Script = [
      [0, 500],
      [2_000, 2_500],
      [6_000, undefined],
    ];
    expect(bites(script)).toEqual([600, 2_600]);
  });

  it('counts anew for each promise, even one that is in the past', () => {
    const script: Script = [
      [0, 500],
      [560, 510],
      [640, 520],
      [700, undefined],
    ];
    expect(bites(script)).toEqual([]);
  });

  it('leaves a process that was stopped its tolerance to come round', () => {
    const late: Script = [
      [0, 500],
      [10_090, Infinity],
      [11_000, undefined],
    ];
    for (const fromMs of [100, 499]) expect(bites(late, [[fromMs, 10_000]])).toEqual([]);
    const never: Script = [
      [0, 500],
      [20_000, undefined],
    ];
    expect(bites(never, [[100, 10_000]])).toEqual([10_100]);
  });
});
