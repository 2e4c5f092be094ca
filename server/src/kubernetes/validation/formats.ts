/** What is wrong with a text, in the words of Kubernetes; empty: nothing. */
export type Complaints = readonly string[];

/** The name of a lease: labels joined by dots, such as a host has. `isPrefix`: something is yet to be appended. */
export function nameComplaints(name: string, isPrefix: boolean): Complaints {
  return subdomainComplaints(isPrefix ? maskTrailingDash(name) : name, 'characters');
}

/** What cannot stand in a path. */
export function segmentComplaints(text: string): Complaints {
  return ['/', '%'].filter((character) => text.includes(character)).map((character) => `may not contain '${character}'`);
}

export function namespaceComplaints(namespace: string): Complaints {
  const tooLong = byteLength(namespace) > labelMax ? [`must be no more than ${labelMax} characters`] : [];
  if (dnsLabel.test(namespace)) return tooLong;
  const rule =
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character";
  return [...tooLong, subdomain.test(namespace) ? 'must not contain dots' : asPattern(rule, dnsLabelText, 'my-name', '123-abc')];
}

/** The key of a label, also of annotations and finalizers: a name with or without the domain of whoever defined it. */
export function keyComplaints(key: string): Complaints {
  const parts = key.split('/');
  if (parts.length > 2) {
    const hint = ` with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')`;
    return [`a valid label key ${keyPatternText}${hint}`];
  }
  const name = parts.at(-1) ?? '';
  return [...(parts.length === 2 ? prefixComplaints(parts[0] ?? '') : []), ...keyNameComplaints(name)];
}

export function labelValueComplaints(value: string): Complaints {
  const complaints = byteLength(value) > labelMax ? [`must be no more than ${labelMax} bytes`] : [];
  if (value === '' || labelName.test(value)) return complaints;
  const rule = `a valid label must be an empty string or ${alphanumeric}`;
  return [...complaints, asPattern(rule, `(${labelNameText})?`, 'MyValue', 'my_value', '12345')];
}

function prefixComplaints(prefix: string): Complaints {
  if (prefix === '') return ['prefix part must be non-empty'];
  return subdomainComplaints(prefix, 'bytes').map((complaint) => `prefix part ${complaint}`);
}

function keyNameComplaints(name: string): Complaints {
  const complaints: string[] = [];
  if (name === '') complaints.push('name part must be non-empty');
  if (byteLength(name) > labelMax) complaints.push(`name part must be no more than ${labelMax} bytes`);
  if (!labelName.test(name)) complaints.push(`name part ${keyPatternText}`);
  return complaints;
}

/** Two parts of Kubernetes check this, and count in words of their own. */
function subdomainComplaints(name: string, unit: 'bytes' | 'characters'): Complaints {
  const complaints = byteLength(name) > subdomainMax ? [`must be no more than ${subdomainMax} ${unit}`] : [];
  if (subdomain.test(name)) return complaints;
  const rule =
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character";
  return [...complaints, asPattern(rule, subdomainText, 'example.com')];
}

/** A prefix may end with the dash that separates what is appended. */
function maskTrailingDash(name: string): string {
  return name.length > 1 && name.endsWith('-') ? `${name.slice(0, -2)}a` : name;
}

function asPattern(rule: string, pattern: string, ...examples: readonly string[]): string {
  const all = examples.map((example) => `'${example}', `).join(' or ');
  return `${rule} (e.g. ${all}regex used for validation is '${pattern}')`;
}

function byteLength(text: string): number {
  return Buffer.byteLength(text);
}

const labelMax = 63;
const subdomainMax = 253;

const alphanumeric = "consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character";

const dnsLabelText = '[a-z0-9]([-a-z0-9]*[a-z0-9])?';
const subdomainText = `${dnsLabelText}(\\.${dnsLabelText})*`;
const labelNameText = '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]';
const keyPatternText = asPattern(`must ${alphanumeric}`, labelNameText, 'MyName', 'my.name', '123-abc');

const dnsLabel = new RegExp(`^${dnsLabelText}$`);
const subdomain = new RegExp(`^${subdomainText}$`);
const labelName = new RegExp(`^${labelNameText}$`);
