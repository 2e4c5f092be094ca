/** How the text of an option becomes its value. */
export interface ValueKind<T> {
  /** What `--help` shows in the place of the value. */
  readonly placeholder: string;
  /** @throws {RuleError} the text breaks the rule. */
  parse(text: string): T;
}

/** The rule that a value breaks, in words that follow the name of the option. */
export class RuleError extends Error {
  override readonly name = 'RuleError';
}

/** Where to listen. */
export interface ListenAddress {
  /** A host name or an IP address, without brackets. */
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
}

/** Where leases are stored. */
export type StoreLocation =
  | { readonly kind: 'sqlite'; readonly path: string }
  | { readonly kind: 'memory' }
  /** `http://HOST:PORT` or `https://HOST:PORT` of each member. */
  | { readonly kind: 'etcd'; readonly endpoints: readonly string[] };

/** From which severity on something is logged. */
export type LogLevel = (typeof logLevels)[number];

const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;

/** A length of time with its unit: `100ms`, `10s`, `5m`, `24h`, `366d`; `0` needs none. */
export function duration(minMs: number, maxMs: number): ValueKind<number> {
  return {
    placeholder: 'DURATION',
    parse(text) {
      const match = /^(\d{1,12}(?:\.\d{1,3})?)(ms|s|m|h|d)$/.exec(text);
      const valueMs = text === '0' ? 0 : Number(match?.[1] ?? Number.NaN) * (unitMs[match?.[2] ?? ''] ?? Number.NaN);
      if (Number.isNaN(valueMs)) {
        throw new RuleError('must be a duration such as 100ms, 10s, 5m, 24h or 366d');
      }
      return checkRange(valueMs, minMs, maxMs, formatDuration);
    },
  };
}

/** The value of another kind, or a word for none. */
export function unless<T>(word: string, kind: ValueKind<T>): ValueKind<T | undefined> {
  return {
    placeholder: `${kind.placeholder}|${word}`,
    parse(text) {
      return text === word ? undefined : orWord(word, () => kind.parse(text));
    },
  };
}

/** A rule that has an exception says so. */
function orWord<T>(word: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    throw error instanceof RuleError ? new RuleError(`${error.message}, or ${word}`) : error;
  }
}

/** A whole number. */
export function count(min: number, max: number): ValueKind<number> {
  return {
    placeholder: 'N',
    parse(text) {
      if (!/^\d+$/.test(text)) {
        throw new RuleError('must be a whole number');
      }
      return checkRange(Number(text), min, max, String);
    },
  };
}

/** A number of bytes, with or without a unit: `512`, `256KiB`, `4MiB`. */
export function bytes(min: number, max: number): ValueKind<number> {
  return {
    placeholder: 'BYTES',
    parse(text) {
      const match = /^(\d{1,12})(B|KiB|MiB|GiB)?$/.exec(text);
      if (match === null) {
        throw new RuleError('must be a number of bytes such as 512, 256KiB or 4MiB');
      }
      return checkRange(Number(match[1]) * (unitBytes[match[2] ?? 'B'] ?? 1), min, max, (value) => `${value} bytes`);
    },
  };
}

/** `HOST:PORT`; an IPv6 address stands in brackets. */
export const listenAddress: ValueKind<ListenAddress> = {
  placeholder: 'HOST:PORT',
  parse(text) {
    const match = /^(?:\[([0-9A-Fa-f:.]+)\]|([^:[\]\s/]+)):(\d{1,5})$/.exec(text);
    const port = Number(match?.[3] ?? Number.NaN);
    if (match === null || port > 65_535) {
      throw new RuleError('must be HOST:PORT such as 127.0.0.1:7400, 0.0.0.0:7400 or [::1]:7400');
    }
    return { host: match[1] ?? match[2] ?? '', port };
  },
};

/** `HOST:PORT`, or `off`. */
export const listenAddressOrOff: ValueKind<ListenAddress | undefined> = {
  placeholder: 'HOST:PORT|off',
  parse(text) {
    return text === 'off' ? undefined : orWord('off', () => listenAddress.parse(text));
  },
};

/** A switch. */
export const onOff: ValueKind<boolean> = {
  placeholder: 'on|off',
  parse(text) {
    if (text !== 'on' && text !== 'off') {
      throw new RuleError('must be on or off');
    }
    return text === 'on';
  },
};

/** `sqlite:PATH` or `memory:`. */
export const storeLocation: ValueKind<StoreLocation> = {
  placeholder: 'sqlite:PATH|etcd:URL,URL|memory:',
  parse(text) {
    if (text === 'memory:') {
      return { kind: 'memory' };
    }
    if (text.startsWith('etcd:')) {
      return { kind: 'etcd', endpoints: etcdEndpoints(text.slice('etcd:'.length).split(',')) };
    }
    const path = text.startsWith('sqlite:') ? text.slice('sqlite:'.length) : '';
    if (path === '' || path.includes('\0')) {
      throw new RuleError('must be sqlite:PATH, etcd:URL,URL or memory:');
    }
    return { kind: 'sqlite', path };
  },
};

/** What all keys in etcd begin with. */
export const keyPrefix: ValueKind<string> = {
  placeholder: 'PREFIX',
  parse(text) {
    if (!/^\/[\x21-\x7e]{0,200}\/$/.test(text)) {
      throw new RuleError('must begin and end with a slash, of visible ASCII characters');
    }
    return text;
  },
};

/** The path of a file, or `none`. */
export const optionalFile: ValueKind<string | undefined> = {
  placeholder: 'FILE|none',
  parse(text) {
    if (text === '' || text.includes('\0')) {
      throw new RuleError('must be the path of a file, or none');
    }
    return text === 'none' ? undefined : text;
  },
};

/** A name of its own choosing, or `none`. */
export const optionalName: ValueKind<string | undefined> = {
  placeholder: 'NAME|none',
  parse(text) {
    if (!/^[\x21-\x7e]{1,253}$/.test(text)) {
      throw new RuleError('must be 1 to 253 visible ASCII characters, or none');
    }
    return text === 'none' ? undefined : text;
  },
};

/** One of the log's levels. */
export const logLevel: ValueKind<LogLevel> = {
  placeholder: 'LEVEL',
  parse(text) {
    const level = logLevels.find((known) => known === text);
    if (level === undefined) {
      throw new RuleError(`must be one of ${logLevels.join(', ')}`);
    }
    return level;
  },
};

/** A duration in the largest unit that shows it whole. */
export function formatDuration(valueMs: number): string {
  const unit = (['d', 'h', 'm', 's'] as const).find((name) => valueMs > 0 && valueMs % (unitMs[name] ?? 1) === 0);
  return unit === undefined ? `${valueMs}ms` : `${valueMs / (unitMs[unit] ?? 1)}${unit}`;
}

const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

const unitBytes: Readonly<Record<string, number>> = { B: 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 };

function checkRange(value: number, min: number, max: number, show: (value: number) => string): number {
  if (value < min || value > max) {
    throw new RuleError(`must be ${show(min)} to ${show(max)}`);
  }
  return value;
}

function etcdEndpoints(texts: readonly string[]): readonly string[] {
  const urls = texts.map((text) => (URL.canParse(text) ? new URL(text) : undefined));
  const endpoints = urls.map((url) => {
    if (url === undefined || !/^https?:$/.test(url.protocol) || url.port === '' || url.pathname !== '/' || url.username !== '') {
      throw new RuleError('must name members of etcd as http://HOST:PORT or https://HOST:PORT, separated by commas');
    }
    return url.origin;
  });
  if (new Set(urls.map((url) => url?.protocol)).size > 1) {
    throw new RuleError('must name members of etcd all by http or all by https');
  }
  return endpoints;
}
