import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import type { Members, Part } from './v2.js';

/**
 * Writes an OpenAPI 2.0 document as a message `openapi.v2.Document`, which is the form that client-go asks for, and no other. Fields and
 * numbers are those of `OpenAPIv2.proto` of github.com/google/gnostic-models, as far as documents here have them.
 */
export function writeOpenApiV2(document: Members): Uint8Array {
  const writer = new BinaryWriter();
  writeMembers(messages['Document'], document, writer);
  return writer.finish();
}

/** A type of messages: the fields of its members, and the one for those whose names are not known beforehand. */
interface Message {
  readonly fields: Readonly<Record<string, Field>>;
  readonly rest?: Field;
}

interface Field {
  readonly number: number;
  /** What is in it: a text or a truth, the members of a message, messages by name, or anything by name, as text. */
  readonly form: 'value' | 'message' | 'named' | 'extension';
  readonly message?: string;
  /** Fields of the messages around it that have no counterpart in the document. */
  readonly within?: readonly number[];
}

const operation = message(2, 'Operation');
const schema = { message: 'Schema', within: [1] } as const;

const messages: Readonly<Record<string, Message>> = {
  Document: {
    fields: { swagger: value(1), info: message(2, 'Info'), paths: message(8, 'Paths'), definitions: message(9, 'Definitions') },
  },
  Info: { fields: { title: value(1), version: value(2) } },
  Paths: { fields: {}, rest: named(2, 'PathItem') },
  PathItem: {
    fields: {
      get: operation,
      put: { ...operation, number: 3 },
      post: { ...operation, number: 4 },
      delete: { ...operation, number: 5 },
      patch: { ...operation, number: 8 },
      parameters: message(9, 'Parameter'),
    },
  },
  Operation: {
    fields: {
      tags: value(1),
      description: value(3),
      operationId: value(5),
      produces: value(6),
      consumes: value(7),
      parameters: message(8, 'Parameter'),
      responses: message(9, 'Responses'),
    },
    rest: { number: 13, form: 'extension' },
  },
  Responses: { fields: {}, rest: { ...named(1, 'Response'), within: [1] } },
  Response: { fields: { description: value(1), schema: { number: 2, form: 'message', ...schema } } },
  bodyParameter: { fields: { name: value(2), in: value(3), required: value(4), schema: message(5, 'Schema') } },
  queryParameter: { fields: { in: value(2), description: value(3), name: value(4), type: value(6), uniqueItems: value(20) } },
  pathParameter: {
    fields: { required: value(1), in: value(2), description: value(3), name: value(4), type: value(5), uniqueItems: value(19) },
  },
  Definitions: { fields: {}, rest: named(1, 'Schema') },
  Schema: {
    fields: {
      $ref: value(1),
      format: value(2),
      description: value(4),
      required: value(19),
      additionalProperties: { number: 21, form: 'message', ...schema },
      type: { number: 22, form: 'value', within: [1] },
      items: { number: 23, form: 'message', ...schema },
      properties: message(25, 'Definitions'),
    },
    rest: { number: 31, form: 'extension' },
  },
};

/** Which message a parameter is depends on where it stands. */
const parameterKinds: Readonly<Record<string, Pick<Field, 'message' | 'within'>>> = {
  body: { message: 'bodyParameter', within: [1, 1] },
  query: { message: 'queryParameter', within: [1, 2, 3] },
  path: { message: 'pathParameter', within: [1, 2, 4] },
};

function value(number: number): Field {
  return { number, form: 'value' };
}

function message(number: number, type: string): Field {
  return { number, form: 'message', message: type };
}

function named(number: number, type: string): Field {
  return { number, form: 'named', message: type };
}

function writeMembers(type: Message | undefined, members: Members, writer: BinaryWriter): void {
  for (const [name, part] of Object.entries(members)) {
    const field = type?.fields[name] ?? type?.rest;
    if (field === undefined) {
      throw new Error(`OpenAPI 2.0: no field for ${name}`);
    }
    const parts: readonly Part[] = Array.isArray(part) && field.form !== 'extension' ? (part as readonly Part[]) : [part];
    for (const one of parts) {
      writeField(field, name, one, writer);
    }
  }
}

function writeField(field: Field, name: string, part: Part, writer: BinaryWriter): void {
  switch (field.form) {
    case 'value':
      writeWithin([field.number, ...(field.within ?? [])], part, writer);
      return;
    case 'message': {
      const where = (part as Members)['in'];
      const isParameter = field.message === 'Parameter' && typeof where === 'string';
      const { message: type = '', within = [] } = isParameter ? (parameterKinds[where] ?? {}) : field;
      nest([field.number, ...within], writer, () => writeMembers(messages[type], part as Members, writer));
      return;
    }
    case 'named':
      nest([field.number], writer, () => {
        writeWithin([1], name, writer);
        nest([2, ...(field.within ?? [])], writer, () => writeMembers(messages[field.message ?? ''], part as Members, writer));
      });
      return;
    case 'extension':
      nest([field.number], writer, () => {
        writeWithin([1], name, writer);
        // YAML, of which JSON is a part.
        writeWithin([2, 2], JSON.stringify(part), writer);
      });
  }
}

/** Writes a text or a truth into the last of the fields, and each of the others around it. */
function writeWithin(numbers: readonly number[], part: Part, writer: BinaryWriter): void {
  const last = numbers.at(-1) ?? 0;
  nest(numbers.slice(0, -1), writer, () => {
    if (typeof part === 'boolean') {
      writer.tag(last, WireType.Varint).bool(part);
    } else {
      writer.tag(last, WireType.LengthDelimited).string(part as string);
    }
  });
}

/** Writes messages around something, the outermost first. */
function nest(numbers: readonly number[], writer: BinaryWriter, inside: () => void): void {
  for (const number of numbers) {
    writer.tag(number, WireType.LengthDelimited).fork();
  }
  inside();
  numbers.forEach(() => writer.join());
}
