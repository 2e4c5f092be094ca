import { defaultOptions, helpText, OptionError, parseOptions, type ServerOptions } from '@leasehold/server';
import { describe, expect, test } from 'vitest';
import { optionTable, variableOf } from '../../server/dist/options/table.js';

const names = Object.keys(optionTable) as (keyof ServerOptions)[];

function parse(args: string[], environment: Record<string, string> = {}): ServerOptions {
  const request = parseOptions(args, environment);
  if (request.kind !== 'serve') {
    throw new Error('asked for help');
  }
  return request.options;
}

function refusal(args: string[], environment: Record<string, string> = {}): string {
  try {
    parse(args, environment);
  } catch (error) {
    expect(error).toBeInstanceOf(OptionError);
    return (error as OptionError).message;
  }
  throw new Error('was not refused');
}

describe('options', () => {
  test('have sensible defaults', () => {
    expect(parse([])).toEqual(defaultOptions());
    expect(defaultOptions()).toMatchObject({
      listen: { host: '127.0.0.1', port: 7400 },
      store: { kind: 'sqlite', path: './data/leasehold.db' },
      renewalCheckpoint: 10_000,
      minDuration: 100,
      maxDuration: 86_400_000,
      maxAnnotationsBytes: 262_144,
      maxMessageBytes: 4_194_304,
    });
  });

  test.each(names)('%s can be set by flag and by variable, and its default parses', (name) => {
    const definition = optionTable[name];
    const byDefault = defaultOptions()[name];
    expect(parse([`--${definition.flag}`, definition.default])[name]).toEqual(byDefault);
    expect(parse([`--${definition.flag}=${definition.default}`])[name]).toEqual(byDefault);
    expect(parse([], { [variableOf(definition)]: definition.default })[name]).toEqual(byDefault);
  });

  test.each(names)('%s is in the help with its default and its variable', (name) => {
    const { flag, default: byDefault, kind } = optionTable[name];
    expect(helpText()).toContain(`--${flag} ${kind.placeholder}\n`);
    expect(helpText()).toContain(`default ${byDefault}, variable ${variableOf(optionTable[name])}\n`);
  });

  test('a flag counts before a variable', () => {
    expect(parse(['--max-waiters=20000'], { LEASEHOLD_MAX_WAITERS: '30000' }).maxWaiters).toBe(20_000);
  });

  test.each([
    ['0', 0],
    ['100ms', 100],
    ['1.5s', 1500],
    ['10s', 10_000],
    ['5m', 300_000],
    ['24h', 86_400_000],
    ['1d', 86_400_000],
  ])('the duration %s is %d ms', (text, ms) => {
    expect(parse(['--renewal-checkpoint', text]).renewalCheckpoint).toBe(ms);
  });

  test.each([
    ['512', 512],
    ['512B', 512],
    ['256KiB', 262_144],
    ['1MiB', 1_048_576],
  ])('the size %s is %d bytes', (text, bytes) => {
    expect(parse(['--max-annotations-bytes', text]).maxAnnotationsBytes).toBe(bytes);
  });

  test.each([
    ['127.0.0.1:0', { host: '127.0.0.1', port: 0 }],
    ['[::1]:7400', { host: '::1', port: 7400 }],
    ['localhost:65535', { host: 'localhost', port: 65_535 }],
  ])('%s can be listened on', (text, address) => {
    expect(parse(['--listen', text]).listen).toEqual(address);
  });

  test.each([
    [['--listen', '7400'], 'Invalid --listen: must be HOST:PORT such as 127.0.0.1:7400, 0.0.0.0:7400 or [::1]:7400, got "7400"'],
    [['--listen', 'localhost:65536'], 'Invalid --listen'],
    [['--store', 'postgres:x'], 'Invalid --store: must be sqlite:PATH, etcd:URL,URL or memory:, got "postgres:x"'],
    [['--store', 'sqlite:'], 'Invalid --store: must be sqlite:PATH, etcd:URL,URL or memory:, got "sqlite:"'],
    [['--max-duration', '10'], 'Invalid --max-duration: must be a duration such as 100ms, 10s, 5m, 24h or 366d, got "10"'],
    [['--max-duration', '-1s'], 'Invalid --max-duration: must be a duration'],
    [['--max-duration', '400d'], 'Invalid --max-duration: must be 1ms to 366d, got "400d"'],
    [['--etcd-session-ttl', '999ms'], 'Invalid --etcd-session-ttl: must be 1s to 1m, or stored, got "999ms"'],
    [['--max-waiters', 'many'], 'Invalid --max-waiters: must be a whole number, got "many"'],
    [['--max-waiters', '9'.repeat(20)], 'Invalid --max-waiters: must be 1 to 10000000, got'],
    [['--http-listen', 'on'], 'or off, got "on"'],
    [['--etcd-session-ttl', 'none'], ', or stored, got "none"'],
    [
      ['--store', 'etcd:http://127.0.0.1:2379', '--etcd-ca', 'ca.pem'],
      'Invalid --etcd-ca: must go with https:// in --store, got "ca.pem"',
    ],
    [
      ['--store', 'etcd:http://127.0.0.1:2379', '--etcd-cert', 'a.pem', '--etcd-key', 'b.pem'],
      'Invalid --etcd-cert: must go with https:// in --store, got "a.pem"',
    ],
    [['--max-waiters', '0'], 'Invalid --max-waiters: must be 1 to 10000000, got "0"'],
    [
      ['--max-message-bytes', '4MB'],
      'Invalid --max-message-bytes: must be a number of bytes such as 512, 256KiB or 4MiB, got "4MB"',
    ],
    [['--log-level', 'loud'], 'Invalid --log-level: must be one of trace, debug, info, warn, error, fatal, silent, got "loud"'],
    [['--wat'], 'Unknown option --wat: see --help'],
    [['--wat=1'], 'Unknown option --wat: see --help'],
    [['-x'], 'Unknown option -x: see --help'],
    [['start'], 'Unknown argument "start": options look like --listen 127.0.0.1:7400'],
    [['--listen'], 'Invalid --listen: must have a value (HOST:PORT)'],
    [['--listen', '--store'], 'Invalid --listen: must have a value (HOST:PORT)'],
    [['--store', 'memory:', '--store', 'sqlite:x'], 'Invalid --store: must be given once, got "sqlite:x" as well'],
    [
      ['--min-duration', '1m', '--max-duration', '10s'],
      'Invalid --max-duration: must be at least --min-duration (1m), got "10s"',
    ],
    [['--max-waiters', '5'], 'Invalid --max-waiters: must be at least --max-waiters-per-lease (10000), got "5"'],
    [['--max-message-bytes', '1KiB'], 'Invalid --max-message-bytes: must be at least --max-annotations-bytes (262144 bytes)'],
    [['--identity-lease', 'yes'], 'Invalid --identity-lease: must be on or off, got "yes"'],
    [
      ['--identity-instance', 'a b'],
      'Invalid --identity-instance: must be 1 to 253 visible ASCII characters, or none, got "a b"',
    ],
    [['--identity-renewal', '31m'], 'Invalid --identity-renewal: must be at most half of --identity-duration (1h), got "31m"'],
    [['--tls-cert', ''], 'Invalid --tls-cert: must be the path of a file, or none, got ""'],
    [['--tls-cert', 'a.pem'], 'Invalid --tls-key: must be given together with --tls-cert, got "none"'],
    [['--tls-key', 'a.pem'], 'Invalid --tls-cert: must be given together with --tls-key, got "none"'],
    [['--tls-client-ca', 'a.pem'], 'Invalid --tls-client-ca: must be given together with --tls-cert and --tls-key, got "a.pem"'],
  ])('%j is refused', (args, message) => {
    expect(refusal(args)).toContain(message);
  });

  test('a variable that is wrong is named', () => {
    expect(refusal([], { LEASEHOLD_MAX_WAITERS: 'many' })).toBe(
      'Invalid LEASEHOLD_MAX_WAITERS: must be a whole number, got "many"',
    );
    expect(refusal(['--min-duration=1h'], { LEASEHOLD_MAX_DURATION: '1m' })).toBe(
      'Invalid LEASEHOLD_MAX_DURATION: must be at least --min-duration (1h), got "1m"',
    );
  });

  test('an unknown variable is refused', () => {
    expect(refusal([], { LEASEHOLD_STORAGE: 'memory:' })).toBe('Unknown environment variable LEASEHOLD_STORAGE: see --help');
  });

  test('the variables that Kubernetes sets beside a service called leasehold are passed over', () => {
    const links = {
      LEASEHOLD_SERVICE_HOST: '10.0.0.1',
      LEASEHOLD_SERVICE_PORT: '7400',
      LEASEHOLD_SERVICE_PORT_GRPC: '7400',
      LEASEHOLD_PORT: 'tcp://10.0.0.1:7400',
      LEASEHOLD_PORT_7400_TCP: 'tcp://10.0.0.1:7400',
      LEASEHOLD_PORT_7400_TCP_ADDR: '10.0.0.1',
    };
    expect(parse([], links)).toEqual(defaultOptions());
  });

  test('the variable of clients is passed over', () => {
    expect(parse([], { LEASEHOLD_ENDPOINT: '10.0.0.1:7400' })).toEqual(defaultOptions());
  });

  test.each([['--help'], ['-h']])('%s asks for help, whatever else is there', (flag) => {
    expect(parseOptions(['--listen', '127.0.0.1:1', flag], {})).toEqual({ kind: 'help' });
  });
});
