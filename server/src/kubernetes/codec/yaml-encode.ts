import { Document, visit, type Scalar } from 'yaml';
import { resolvePlain } from './yaml-decode.js';

/** YAML as Kubernetes prints it: keys in order, lists as deep as their key, in double quotes what would not be read as text. */
export function toYaml(object: object): string {
  const document = new Document(object, { sortMapEntries: true, aliasDuplicateObjects: false });
  visit(document, { Scalar: (_, node) => setStyle(node) });
  return document.toString({ indentSeq: false, singleQuote: true });
}

function setStyle(node: Scalar): void {
  const { value } = node;
  if (typeof value !== 'string') return;
  if (value.includes('\n')) {
    // Lines that begin or end with space would lose it in a block.
    node.type = block.test(value) ? 'BLOCK_LITERAL' : 'QUOTE_DOUBLE';
  } else if (resolvePlain(value) !== value || value === '<<' || base60.test(value) || timestamp.test(value)) {
    node.type = 'QUOTE_DOUBLE';
  }
}

/** Text of lines that can stand as they are. */
const block = /^(?:[!-~](?:[ -~]*[!-~])?\n)+(?:[!-~](?:[ -~]*[!-~])?)?$/;

/** What other readers of YAML 1.1 take for numbers and times. */
const base60 = /^[-+]?\d[\d_]*(?::[0-5]?\d)+(?:\.[\d_]*)?$/;
const timestamp = /^\d{4}-\d\d?-\d\d?(?:[Tt ]\d\d?:\d\d?:\d\d?(?:\.\d+)?(?:Z|[-+]\d\d:\d\d)?)?$/;
