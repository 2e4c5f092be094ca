/** A text as Go's `%q` writes it: messages of Kubernetes quote names and values so. */
export function goQuote(text: string): string {
  return `"${escape(text, '"')}"`;
}

/** A character of a bad document as Go's JSON names it: the first byte that is wrong, as if it were a character. */
export function goQuoteByte(character: string): string {
  if (character === '"') return `'"'`;
  const [first = 0] = Buffer.from(character);
  return `'${escape(String.fromCharCode(first), "'")}'`;
}

/** Go's `strconv.Quote` without the quotes around it. */
function escape(text: string, quote: '"' | "'"): string {
  if (plain.test(text) && !text.includes(quote)) return text;
  let escaped = '';
  for (const character of text) {
    escaped += character === quote ? `\\${quote}` : (named[character] ?? escapeUnprintable(character));
  }
  return escaped;
}

function escapeUnprintable(character: string): string {
  if (printable.test(character)) return character;
  const code = character.codePointAt(0) ?? 0;
  if (code < 0x80) return `\\x${hex(code, 2)}`;
  return code < 0x10000 ? `\\u${hex(code, 4)}` : `\\U${hex(code, 8)}`;
}

function hex(code: number, digits: number): string {
  return code.toString(16).padStart(digits, '0');
}

const plain = /^[ !#-[\]-~]*$/;

/** What Go's `unicode.IsPrint` takes: letters, marks, numbers, punctuation, symbols and the space. */
const printable = /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]$/u;

const named: Readonly<Record<string, string>> = {
  '\\': '\\\\',
  '\x07': '\\a',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\v': '\\v',
};

/** Whether Go takes a character for printable (`unicode.IsPrint`). */
export function isPrintable(character: string): boolean {
  return printable.test(character);
}
