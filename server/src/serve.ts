import { createLog, type Log } from './log.js';
import { helpText } from './options/help.js';
import { OptionError, parseOptions } from './options/parse.js';
import type { ServerOptions } from './options/table.js';
import { startServer, type RunningServer } from './start-server.js';

/** The process that a server runs in, so far as it needs it. */
export interface HostProcess {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stdout: { write(text: string): unknown };
  readonly stderr: { write(text: string): unknown };
  on(signal: 'SIGTERM' | 'SIGINT', listener: () => void): unknown;
}

/**
 * `leasehold serve`: serves until SIGTERM or SIGINT, then drains. A second signal ends it at once, as does one before it serves.
 *
 * @returns the exit code: 0 drained, or ended before it served, 1 failed, 2 an option is wrong.
 */
export async function serve(args: readonly string[], host: HostProcess): Promise<number> {
  let options: ServerOptions;
  try {
    const request = parseOptions(args, host.env);
    if (request.kind === 'help') {
      host.stdout.write(helpText());
      return 0;
    }
    options = request.options;
  } catch (error) {
    if (error instanceof OptionError) {
      host.stderr.write(`leasehold serve: ${error.message}\n`);
      return 2;
    }
    throw error;
  }
  return run(options, host, createLog(options.logLevel));
}

async function run(options: ServerOptions, host: HostProcess, log: Log): Promise<number> {
  const ending = new Ending(host);
  const starting = startServer(options, {
    log,
    onGivenUp: (error) => {
      log.fatal({ err: error }, 'Giving up: the store cannot be opened');
      ending.settle('failed');
    },
  });
  let server: RunningServer | 'signal' | 'failed';
  try {
    server = await Promise.race([starting, ending.first]);
  } catch (error) {
    if (error instanceof OptionError) {
      host.stderr.write(`leasehold serve: ${error.message}\n`);
      return 2;
    }
    log.fatal({ err: error }, `The server could not start: ${error instanceof Error ? error.message : String(error)}`);
    return 1;
  }
  if (typeof server === 'string') {
    log.info('Ended before it served');
    return 0;
  }
  log.info({ address: server.address, port: server.port, http: server.http?.address, store: options.store }, 'Serving');
  if ((await ending.first) === 'failed') {
    return 1;
  }
  log.info('Draining');
  const drained = server.drain().then(
    () => 'drained' as const,
    (error: unknown) => {
      log.error({ err: error }, 'The drain failed');
      return 'failed' as const;
    },
  );
  const end = await Promise.race([drained, ending.second]);
  log.info({ end }, 'Ended');
  return end === 'drained' ? 0 : 1;
}

/** What ends a server: the first signal or a failure, and the second signal. */
class Ending {
  readonly first: Promise<'signal' | 'failed'>;
  readonly second: Promise<'signal'>;
  settle: (why: 'signal' | 'failed') => void = () => undefined;

  constructor(host: HostProcess) {
    this.first = new Promise((resolve) => {
      this.settle = resolve;
    });
    this.second = new Promise((resolve) => {
      let signals = 0;
      const onSignal = (): void => {
        signals++;
        if (signals === 1) {
          this.settle('signal');
        } else {
          resolve('signal');
        }
      };
      host.on('SIGTERM', onSignal);
      host.on('SIGINT', onSignal);
    });
  }
}
