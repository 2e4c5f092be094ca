/**
 * A check whether a history of concurrent operations is linearizable: whether they could have happened one after the other, each at some
 * instant between its call and its return, with the answers that they got. It tries orders as Wing and Gong do, and remembers where
 * it has been, as Lowe does.
 */

/** An operation that somebody called and got an answer to. */
export interface Operation<Input, Output> {
  /** When it was called and when its answer came, by one clock. */
  readonly callMs: number;
  readonly returnMs: number;
  readonly input: Input;
  readonly output: Output;
}

/** What one operation after the other comes to. */
export interface SequentialModel<State, Input, Output> {
  readonly initial: State;
  /** The state after an operation that got this answer; `undefined`: it cannot get it here. */
  step(state: State, operation: Operation<Input, Output>): State | undefined;
  /** Whether an operation with this answer changes nothing, in whichever state it gets it. */
  isRead(operation: Operation<Input, Output>): boolean;
  /** Two states with the same key are the same. */
  keyOf(state: State): string;
  /** Operations that can come next are tried in this order. It decides how long the search takes, not what it finds. */
  compare(left: Operation<Input, Output>, right: Operation<Input, Output>): number;
}

/** What the check has found. */
export interface Verdict<State, Input, Output> {
  readonly linearizable: boolean;
  /** The longest order that was found: of all operations, or as far as it goes. */
  readonly order: readonly Operation<Input, Output>[];
  /** The state at its end. */
  readonly state: State;
  /** What could have come next by its time, and could not by its answer. */
  readonly stuck: readonly Operation<Input, Output>[];
}

/** Looks for an order of all operations in which each has the answer that it got. */
export function checkLinearizable<State, Input, Output>(
  model: SequentialModel<State, Input, Output>,
  history: readonly Operation<Input, Output>[],
): Verdict<State, Input, Output> {
  return new Search(model, history).run();
}

/** Where the search has come to. */
interface Position<State> {
  readonly state: State;
  /** What can come next and changes something, in the order in which it is tried. */
  readonly branches: readonly number[];
  nextBranch: number;
  /** How many operations of the order were there when this position was reached. */
  readonly depth: number;
}

class Search<State, Input, Output> {
  readonly #model: SequentialModel<State, Input, Output>;
  /** By their calls. */
  readonly #history: readonly Operation<Input, Output>[];
  readonly #done: Uint8Array;
  readonly #order: number[] = [];
  readonly #seen = new Set<string>();
  #best: Omit<Verdict<State, Input, Output>, 'linearizable'>;

  constructor(model: SequentialModel<State, Input, Output>, history: readonly Operation<Input, Output>[]) {
    this.#model = model;
    this.#history = [...history].sort((left, right) => left.callMs - right.callMs);
    this.#done = new Uint8Array(history.length);
    this.#best = { order: [], state: model.initial, stuck: [] };
  }

  run(): Verdict<State, Input, Output> {
    const path = [this.#reach(this.#model.initial)];
    for (let position = path.at(-1); position !== undefined; position = path.at(-1)) {
      if (this.#order.length === this.#history.length) {
        return { linearizable: true, order: this.#operations(), state: position.state, stuck: [] };
      }
      const next = this.#advance(position);
      if (next === undefined) {
        path.pop();
        this.#undo(path.at(-1));
      } else {
        path.push(next);
      }
    }
    return { linearizable: false, ...this.#best };
  }

  /** Takes the next branch that leads to where the search has not been. */
  #advance(position: Position<State>): Position<State> | undefined {
    while (position.nextBranch < position.branches.length) {
      const index = position.branches[position.nextBranch++]!;
      const state = this.#model.step(position.state, this.#history[index]!);
      if (state === undefined) continue;
      this.#take(index);
      const key = `${Buffer.from(this.#done).toString('latin1')}${this.#model.keyOf(state)}`;
      if (!this.#seen.has(key)) {
        this.#seen.add(key);
        return this.#reach(state);
      }
      this.#undo(position);
    }
    return undefined;
  }

  /** Takes at once what can come next and only reads: whatever order there is with it later, there is one with it here. */
  #reach(state: State): Position<State> {
    for (;;) {
      const next = this.#next();
      const reads = next.filter((index) => this.#isRead(index) && this.#model.step(state, this.#history[index]!) !== undefined);
      if (reads.length === 0) {
        this.#note(state, next);
        const branches = next
          .filter((index) => !this.#isRead(index))
          .sort((left, right) => this.#model.compare(this.#history[left]!, this.#history[right]!));
        return { state, branches, nextBranch: 0, depth: this.#order.length };
      }
      reads.forEach((index) => this.#take(index));
    }
  }

  /** What can come next by its time: whatever was called before all that is left has returned. */
  #next(): number[] {
    const next: number[] = [];
    let firstReturnMs = Infinity;
    for (let index = 0; index < this.#history.length; index += 1) {
      const { callMs, returnMs } = this.#history[index]!;
      if (this.#done[index] === 1) continue;
      if (callMs > firstReturnMs) break;
      firstReturnMs = Math.min(firstReturnMs, returnMs);
      next.push(index);
    }
    return next.filter((index) => this.#history[index]!.callMs <= firstReturnMs);
  }

  #isRead(index: number): boolean {
    return this.#model.isRead(this.#history[index]!);
  }

  #take(index: number): void {
    this.#done[index] = 1;
    this.#order.push(index);
  }

  /** Gives back what was taken after a position. */
  #undo(position: Position<State> | undefined): void {
    for (const index of this.#order.splice(position?.depth ?? 0)) this.#done[index] = 0;
  }

  #note(state: State, next: readonly number[]): void {
    if (this.#order.length > this.#best.order.length || this.#best.stuck.length === 0) {
      this.#best = { order: this.#operations(), state, stuck: next.map((index) => this.#history[index]!) };
    }
  }

  #operations(): Operation<Input, Output>[] {
    return this.#order.map((index) => this.#history[index]!);
  }
}
