import { optionTable, variableOf, type OptionDefinition } from './table.js';

/** What `leasehold serve --help` prints: every option with its default and its environment variable. */
export function helpText(): string {
  const definitions: OptionDefinition<unknown>[] = Object.values(optionTable);
  const lines = definitions.map((definition) => {
    const usage = `--${definition.flag} ${definition.kind.placeholder}`;
    return `  ${usage}\n      ${definition.help}\n      default ${definition.default}, variable ${variableOf(definition)}`;
  });
  return [
    'Usage: leasehold serve [options]',
    '',
    'Serves leases over gRPC and the Kubernetes API until it gets SIGTERM or SIGINT, then drains and exits with 0.',
    'Every option can be set as a flag or as an environment variable; the flag counts first.',
    'Exit codes: 0 drained, 1 failed, 2 an option is wrong.',
    '',
    'Options:',
    ...lines,
    '  -h, --help',
    '      print this',
    '',
  ].join('\n');
}
