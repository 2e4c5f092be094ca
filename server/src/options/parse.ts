import { parseArgs } from 'node:util';
import { findContradiction, optionTable, variableOf, type OptionDefinition, type ServerOptions } from './table.js';
import { RuleError } from './values.js';

/** An option that is unknown, breaks a rule or contradicts another. The message names the option, the rule and the value. */
export class OptionError extends Error {
  override readonly name = 'OptionError';
}

/** What a command line asks for. */
export type ServeRequest = { readonly kind: 'help' } | { readonly kind: 'serve'; readonly options: ServerOptions };

/**
 * Reads the options of `leasehold serve`. A flag counts before its variable, a variable before the default.
 *
 * @throws {OptionError} at the first option that is wrong; variables that start with `LEASEHOLD_` and are unknown are wrong too.
 */
export function parseOptions(args: readonly string[], environment: Readonly<Record<string, string | undefined>>): ServeRequest {
  const flags = readFlags(args);
  if (flags === 'help') {
    return { kind: 'help' };
  }
  const variables = readVariables(environment);
  const given = (name: keyof ServerOptions): Given => flags.get(name) ?? variables.get(name) ?? fallback(optionTable[name]);
  const options: ServerOptions = mapTable((name, definition) => parseValue(definition, given(name)));
  const contradiction = findContradiction(options);
  if (contradiction !== undefined) {
    const { source, text } = given(contradiction.option);
    throw new OptionError(`Invalid ${source}: ${contradiction.rule}, got ${JSON.stringify(text)}`);
  }
  return { kind: 'serve', options };
}

/** The options with nothing set. */
export function defaultOptions(): ServerOptions {
  return mapTable((_, definition) => parseValue(definition, fallback(definition)));
}

/** The text of an option, and what to call it in an error. */
interface Given {
  readonly source: string;
  readonly text: string;
}

const names = Object.keys(optionTable) as (keyof ServerOptions)[];

function mapTable(value: <T>(name: keyof ServerOptions, definition: OptionDefinition<T>) => T): ServerOptions {
  const entries = names.map((name) => [name, value<unknown>(name, optionTable[name])]);
  return Object.fromEntries(entries) as ServerOptions;
}

function readFlags(args: readonly string[]): Map<keyof ServerOptions, Given> | 'help' {
  const { tokens } = parseArgs({
    args: [...args],
    options: {
      ...Object.fromEntries(names.map((name) => [optionTable[name].flag, { type: 'string' }])),
      help: { type: 'boolean', short: 'h' },
    },
    strict: false,
    tokens: true,
  });
  const flags = new Map<keyof ServerOptions, Given>();
  for (const token of tokens) {
    if (token.kind !== 'option') {
      throw new OptionError(
        `Unknown argument ${JSON.stringify(args[token.index] ?? '')}: options look like --listen 127.0.0.1:7400`,
      );
    }
    if (token.name === 'help') {
      return 'help';
    }
    const name = names.find((candidate) => optionTable[candidate].flag === token.name && token.rawName.startsWith('--'));
    if (name === undefined) {
      throw new OptionError(`Unknown option ${token.rawName}: see --help`);
    }
    if (token.value === undefined || (!token.inlineValue && token.value.startsWith('--'))) {
      throw new OptionError(`Invalid ${token.rawName}: must have a value (${optionTable[name].kind.placeholder})`);
    }
    if (flags.has(name)) {
      throw new OptionError(`Invalid ${token.rawName}: must be given once, got ${JSON.stringify(token.value)} as well`);
    }
    flags.set(name, { source: token.rawName, text: token.value });
  }
  return flags;
}

function readVariables(environment: Readonly<Record<string, string | undefined>>): Map<keyof ServerOptions, Given> {
  const variables = new Map<keyof ServerOptions, Given>();
  for (const [source, text] of Object.entries(environment)) {
    if (!source.startsWith('LEASEHOLD_') || text === undefined || serviceLink.test(source) || forClients.has(source)) {
      continue;
    }
    const name = names.find((candidate) => variableOf(optionTable[candidate]) === source);
    if (name === undefined) {
      throw new OptionError(`Unknown environment variable ${source}: see --help`);
    }
    variables.set(name, { source, text });
  }
  return variables;
}

/** What Kubernetes and Docker set in every container beside a service that is called `leasehold`. */
const serviceLink = /^LEASEHOLD_(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)$/;

function fallback(definition: OptionDefinition<unknown>): Given {
  return { source: `--${definition.flag}`, text: definition.default };
}

function parseValue<T>(definition: OptionDefinition<T>, { source, text }: Given): T {
  try {
    return definition.kind.parse(text);
  } catch (error) {
    if (error instanceof RuleError) {
      throw new OptionError(`Invalid ${source}: ${error.message}, got ${JSON.stringify(text)}`);
    }
    throw error;
  }
}

/** What a shell may have set for clients, too. */
const forClients: ReadonlySet<string> = new Set(['LEASEHOLD_ENDPOINT']);
