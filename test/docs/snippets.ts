import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const root = fileURLToPath(new URL('../../', import.meta.url));

/** What the examples of the documentation take for granted. */
const scene = `
import type { Client, HeldLease, Lease } from '@leasehold/sdk';
declare global {
  const client: Client;
  const lease: HeldLease;
  const signal: AbortSignal;
  const row: { readonly id: string };
  const db: { write(row: { readonly id: string }, options: { readonly fencingToken: bigint }): Promise<void> };
  function work(signal: AbortSignal, fencingToken: bigint): Promise<void>;
  function route(address: string | undefined): void;
  function evict(node: string): Promise<void>;
  function report(lease: Lease): void;
}
`;

/** Compiles every block of TypeScript in a document, each as a module of its own, and returns what the compiler says, line by line. */
export function complaintsAbout(document: string): string[] {
  const blocks = blocksOf(document);
  const files = new Map(blocks.map(({ line, text }) => [`${root}test/docs/${document}:${line}.ts`, text]));
  files.set(`${root}test/docs/scene.ts`, scene);
  const { options } = ts.convertCompilerOptionsFromJson(
    {
      ...{ target: 'es2023', lib: ['es2023', 'esnext.disposable'], module: 'nodenext', types: ['node'] },
      ...{ strict: true, exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true, noEmit: true, skipLibCheck: true },
    },
    root,
  );
  const program = ts.createProgram([...files.keys()], options, hostWith(files, options));
  return ts.getPreEmitDiagnostics(program).map(({ file, start = 0, messageText }) => {
    const first = Number(/:(\d+)\.ts$/.exec(file?.fileName ?? '')?.[1] ?? 0);
    const line = first + (file?.getLineAndCharacterOfPosition(start).line ?? 0);
    return `${document}:${line} ${ts.flattenDiagnosticMessageText(messageText, ' ')}`;
  });
}

/** The blocks of TypeScript in a document, and the lines on which they begin. */
export function blocksOf(document: string): { readonly line: number; readonly text: string }[] {
  const markdown = readFileSync(`${root}${document}`, 'utf8');
  return [...markdown.matchAll(/^```ts\n([^]*?)^```$/gm)].map((match) => ({
    line: markdown.slice(0, match.index).split('\n').length + 1,
    text: `${match[1] ?? ''}export {};\n`,
  }));
}

/** A compiler's host that knows some files which are nowhere on the disk. */
function hostWith(files: ReadonlyMap<string, string>, options: ts.CompilerOptions): ts.CompilerHost {
  const host = ts.createCompilerHost(options);
  return {
    ...host,
    fileExists: (path) => files.has(path) || host.fileExists(path),
    readFile: (path) => files.get(path) ?? host.readFile(path),
    getSourceFile: (path, version, ...rest) => {
      const text = files.get(path);
      return text === undefined ? host.getSourceFile(path, version, ...rest) : ts.createSourceFile(path, text, version);
    },
  };
}
