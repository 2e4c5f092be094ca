import { randomInt } from 'node:crypto';

/** The random end of a generated name, of letters and digits that do not make words (as apimachinery's `rand.String` has it). */
export function randomSuffix(): string {
  return Array.from({ length: suffixLength }, () => alphabet[randomInt(alphabet.length)]).join('');
}

const alphabet = 'bcdfghjklmnpqrstvwxz2456789';
const suffixLength = 5;
