import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { checkLinearizable, type Operation, type SequentialModel } from './linearizable.js';

/** A register: what is read is what was written last; what is swapped in brings out what was there. */
type Asked =
  | { readonly kind: 'write'; readonly value: number }
  | { readonly kind: 'read' }
  | { readonly kind: 'swap'; readonly value: number };
type Step = Operation<Asked, number>;

const register: SequentialModel<number, Asked, number> = {
  initial: 0,
  step(state, { input, output }) {
    if (input.kind === 'read') return output === state ? state : undefined;
    if (input.kind === 'swap' && output !== state) return undefined;
    return input.value;
  },
  isRead: ({ input }) => input.kind === 'read',
  keyOf: String,
  compare: () => 0,
};

const write = (callMs: number, returnMs: number, value: number): Step => ({
  ...{ callMs, returnMs, input: { kind: 'write', value }, output: 0 },
});
const read = (callMs: number, returnMs: number, output: number): Step => ({ callMs, returnMs, input: { kind: 'read' }, output });
const swap = (callMs: number, returnMs: number, value: number, output: number): Step => ({
  ...{ callMs, returnMs, input: { kind: 'swap', value }, output },
});

describe('a history is linearizable', () => {
  test.each<[string, Step[]]>([
    ['of nothing', []],
    ['one after the other', [write(0, 1, 7), read(2, 3, 7)]],
    ['whose write is seen before it returns', [write(0, 10, 7), read(2, 3, 7), read(4, 5, 7)]],
    ['whose write is not seen yet by those who overlap it', [write(0, 10, 7), read(2, 3, 0), read(4, 5, 7)]],
    ['whose writes overlap, in either order', [write(0, 10, 7), write(1, 9, 8), read(11, 12, 7)]],
    ['whose order is not that of the calls', [write(0, 10, 7), write(1, 2, 8), read(3, 4, 8), read(11, 12, 7)]],
    ['whose order only the answers tell', [swap(0, 10, 1, 2), swap(0, 10, 2, 3), swap(0, 10, 3, 0), read(0, 10, 3)]],
    ['that begins at one instant', [write(0, 0, 7), read(0, 0, 0)]],
  ])('%s', (_, history) => {
    const { linearizable, order } = checkLinearizable(register, history);
    expect(linearizable).toBe(true);
    expect(new Set(order)).toEqual(new Set(history));
  });
});

describe('a history is not linearizable', () => {
  test.each<[string, Step[]]>([
    ['that reads what nobody has written', [write(0, 1, 7), read(0, 3, 8)]],
    ['that reads what was there before a write that has returned', [write(0, 1, 7), read(2, 3, 0)]],
    ['that reads what is written later', [read(0, 1, 7), write(2, 3, 7)]],
    ['that goes back in time', [write(0, 10, 7), read(2, 3, 7), read(4, 5, 0)]],
    ['whose readers do not see one order', [write(0, 9, 7), write(0, 9, 8), read(1, 2, 7), read(3, 4, 8), read(5, 6, 7)]],
    ['that loses a write', [write(0, 1, 7), swap(2, 3, 8, 0)]],
    ['that brings one value out twice', [write(0, 1, 7), swap(2, 9, 8, 7), swap(2, 9, 9, 7)]],
  ])('%s', (_, history) => {
    expect(checkLinearizable(register, history).linearizable).toBe(false);
  });

  test('and it is said how far it goes, and where it stops', () => {
    const history = [write(0, 1, 7), read(2, 3, 7), read(4, 5, 8), write(6, 7, 9)];
    expect(checkLinearizable(register, history)).toEqual({
      ...{ linearizable: false, state: 7 },
      ...{ order: history.slice(0, 2), stuck: [history[2]] },
    });
  });
});

describe('any history', () => {
  const time = fc.integer({ min: 0, max: 12 });
  const value = fc.integer({ min: 0, max: 3 });
  const operation: fc.Arbitrary<Step> = fc
    .record({ at: fc.tuple(time, time), kind: fc.constantFrom('write', 'read', 'swap'), value, output: value })
    .map(({ at: [one, other], kind, output, ...rest }) => {
      const [callMs, returnMs] = [Math.min(one, other), Math.max(one, other)];
      if (kind === 'read') return read(callMs, returnMs, output);
      return kind === 'write' ? write(callMs, returnMs, rest.value) : swap(callMs, returnMs, rest.value, output);
    });

  test('is judged as by trying all orders', () => {
    let right = 0;
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 6 }), (history) => {
        const { linearizable } = checkLinearizable(register, history);
        right += linearizable ? 1 : 0;
        expect(linearizable).toBe(isOrderable(history, register.initial));
      }),
      { numRuns: 2000 },
    );
    expect(right).toBeGreaterThan(100);
  });

  test('that was made one after the other stays linearizable however long its operations took', () => {
    const step = fc.record({ kind: fc.constantFrom('write', 'read', 'swap'), value, early: time, late: time });
    fc.assert(
      fc.property(fc.array(step, { minLength: 50, maxLength: 200 }), (steps) => {
        let state = 0;
        const history = steps.map(({ kind, value: next, early, late }, index) => {
          const [callMs, returnMs, before] = [10 * index - 10 * early, 10 * index + 10 * late, state];
          if (kind === 'read') return read(callMs, returnMs, before);
          state = next;
          return kind === 'write' ? write(callMs, returnMs, next) : swap(callMs, returnMs, next, before);
        });
        expect(checkLinearizable(register, history).linearizable).toBe(true);
      }),
      { numRuns: 100 },
    );
  });
});

/** Tries every order that the times allow. */
function isOrderable(left: readonly Step[], state: number): boolean {
  if (left.length === 0) return true;
  const firstReturnMs = Math.min(...left.map(({ returnMs }) => returnMs));
  return left.some((operation) => {
    if (operation.callMs > firstReturnMs) return false;
    const next = register.step(state, operation);
    return (
      next !== undefined &&
      isOrderable(
        left.filter((other) => other !== operation),
        next,
      )
    );
  });
}
