import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/** What a child answered: what it did, or the error. */
export interface ChildAnswer {
  /** Of `open`: the last round of each of three leases that are always committed together. */
  readonly rounds?: readonly number[];
  /** Of `commit`. */
  readonly round?: number;
  readonly revision?: string;
  readonly pong?: boolean;
  readonly error?: string;
  readonly code?: string;
  readonly message?: string;
}

/** A process with a store in it. Each round changes the same three leases in one commit. */
export interface StoreChild {
  /** Gives an order and waits for the next answer. `loop` commits for ever and answers each time. */
  tell(order: 'open' | 'commit' | 'loop' | 'close' | 'ping'): Promise<ChildAnswer>;
  /** Waits for the next answer. */
  next(): Promise<ChildAnswer>;
  /** Ends the process as `kill -9` does. Returns the answers that nobody took. */
  kill(): Promise<readonly ChildAnswer[]>;
}

/** Starts a child; its store is not open yet. */
export function startChild(file: string, env: Readonly<Record<string, string>> = {}): StoreChild {
  const child = spawn(process.execPath, [fileURLToPath(new URL('./store-child.mjs', import.meta.url)), file], {
    env: { ...process.env, ...env },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const answers: ChildAnswer[] = [];
  const waiting: ((answer: ChildAnswer) => void)[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => {
    const answer = JSON.parse(line) as ChildAnswer;
    const taker = waiting.shift();
    if (taker === undefined) {
      answers.push(answer);
    } else {
      taker(answer);
    }
  });
  child.stdin.on('error', () => {});
  const closed = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const next = (): Promise<ChildAnswer> => {
    const answer = answers.shift();
    return answer === undefined ? new Promise((resolve) => waiting.push(resolve)) : Promise.resolve(answer);
  };
  return {
    tell: (order) => {
      child.stdin.write(`${order}\n`);
      return next();
    },
    next,
    kill: async () => {
      child.kill('SIGKILL');
      await closed;
      return answers;
    },
  };
}
