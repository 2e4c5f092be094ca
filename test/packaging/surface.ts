import { readFileSync } from 'node:fs';
import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const root = fileURLToPath(new URL('../../', import.meta.url));
const sources = `${root}sdk/src/`;

/** Something of the SDK that its users meet: an export, a type that a public signature names, or a member of either. */
export interface Met {
  /** `Client.acquire` */
  readonly name: string;
  /** `sdk/src/client.ts:72` */
  readonly place: string;
  readonly documented: boolean;
  /** Whether an entry point exports it, or what it is a member of. */
  readonly exported: boolean;
}

/** The entry points that package.json names, as sources: `index.ts`. */
export function entryPoints(): string[] {
  const { exports } = JSON.parse(readFileSync(`${root}sdk/package.json`, 'utf8')) as { exports: Record<string, unknown> };
  const built = Object.values(exports).flatMap((entry) => JSON.stringify(entry).match(/(?<=\.\/dist\/)[^"]+(?=\.js")/g) ?? []);
  return built.map((path) => `${path}.ts`);
}

/** Everything public, in the order of places. What is marked `@internal` is not. */
export function publicSurface(entries: readonly string[] = entryPoints()): Met[] {
  const paths = entries.map((entry) => sources + entry);
  const { program, checker } = load(paths);
  const exported = new Set(paths.flatMap((path) => exportsOf(program, path)));
  const seen = new Set<ts.Symbol>();
  const met: Met[] = [];

  const meet = (symbol: ts.Symbol): void => {
    if (seen.has(symbol)) return;
    seen.add(symbol);
    for (const declaration of symbol.declarations ?? []) {
      if (!declaration.getSourceFile().fileName.startsWith(sources) || ts.isTypeParameterDeclaration(declaration)) continue;
      for (const node of [declaration, ...publicMembers(declaration)]) {
        const name = node === declaration ? symbol.name : `${symbol.name}.${nameOf(node)}`;
        met.push({ name, place: placeOf(node), documented: isDocumented(checker, node), exported: exported.has(symbol) });
        for (const type of typesIn(node)) {
          const named = checker.getSymbolAtLocation(type);
          if (named !== undefined) meet(unaliased(checker, named));
        }
      }
    }
  };
  for (const symbol of exported) meet(symbol);
  return met.sort((a, b) => a.place.localeCompare(b.place, 'en', { numeric: true }));
}

/** The signatures of everything that an entry point exports, by name, as the declaration files have them but without comments. */
export function signatures(entry: string): string {
  const declared = declarationOf(entry);
  const { program } = load([declared]);
  const printer = ts.createPrinter({ removeComments: true });
  const declarations = exportsOf(program, declared).flatMap((symbol) => symbol.declarations ?? []);
  const printed = declarations.map((node) => {
    const statement = ts.isVariableDeclaration(node) ? node.parent.parent : node;
    return printer.printNode(ts.EmitHint.Unspecified, statement, node.getSourceFile());
  });
  return `${printed.sort().join('\n\n')}\n`;
}

/** The packages whose types a program needs as well to understand those of an entry point. */
export function packagesNeeded(entry: string): string[] {
  const { program } = load([declarationOf(entry)]);
  const files = program.getSourceFiles().filter((file) => !program.isSourceFileDefaultLibrary(file));
  const paths = files.map(({ fileName }) => fileName.replace(root, '').replace(/^.*node_modules\//, ''));
  const packages = paths.map((path) =>
    path
      .split('/')
      .slice(0, path.startsWith('@') ? 2 : 1)
      .join('/'),
  );
  return [...new Set(packages)].sort();
}

function declarationOf(entry: string): string {
  return `${root}sdk/dist/${entry.replace(/\.ts$/, '.d.ts')}`;
}

function load(paths: readonly string[]): { program: ts.Program; checker: ts.TypeChecker } {
  const { config } = ts.readConfigFile(`${root}tsconfig.base.json`, (path) => ts.sys.readFile(path)) as { config: unknown };
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, root);
  // What names mean is asked for, not whether it all compiles: the language's own declarations would take most of the time.
  const program = ts.createProgram(paths, { ...options, composite: false, types: [], noLib: true });
  return { program, checker: program.getTypeChecker() };
}

function exportsOf(program: ts.Program, path: string): ts.Symbol[] {
  const checker = program.getTypeChecker();
  const file = program.getSourceFile(path);
  const module = file === undefined ? undefined : checker.getSymbolAtLocation(file);
  if (module === undefined) throw new Error(`${path} is not a module`);
  return namedBy(checker, module);
}

/** What a module exports; instead of a namespace, what that has. */
function namedBy(checker: ts.TypeChecker, module: ts.Symbol): ts.Symbol[] {
  const symbols = checker.getExportsOfModule(module).map((symbol) => unaliased(checker, symbol));
  return symbols.flatMap((symbol) => (symbol.flags & ts.SymbolFlags.ValueModule ? namedBy(checker, symbol) : [symbol]));
}

function unaliased(checker: ts.TypeChecker, symbol: ts.Symbol): ts.Symbol {
  return symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
}

function publicMembers(declaration: ts.Declaration): ts.Declaration[] {
  const members = ts.isClassLike(declaration) || ts.isInterfaceDeclaration(declaration) ? [...declaration.members] : [];
  return members.filter((member) => {
    if (member.name !== undefined && ts.isPrivateIdentifier(member.name)) return false;
    if (ts.getCombinedModifierFlags(member) & ts.ModifierFlags.Private) return false;
    return !ts.isInternalDeclaration(member, member.getSourceFile());
  });
}

/** The names of types in a declaration: in the signature of a function or member, in the heads of classes and interfaces. */
function typesIn(node: ts.Node): ts.Node[] {
  const found: ts.Node[] = [];
  const visit = (child: ts.Node): void => {
    // Members are met one by one; bodies and values are nobody's business.
    if (ts.isClassElement(child) || (ts.isInterfaceDeclaration(node) && child.parent === node && ts.isTypeElement(child))) return;
    if (ts.isTypeReferenceNode(child)) found.push(child.typeName);
    else if (ts.isExpressionWithTypeArguments(child)) found.push(child.expression);
    else if (ts.isTypeQueryNode(child)) found.push(child.exprName);
    else if (ts.isBlock(child) || ts.isExpression(child)) return;
    ts.forEachChild(child, visit);
  };
  ts.forEachChild(node, visit);
  return found;
}

/** A member that overrides one with a docstring has that. */
function isDocumented(checker: ts.TypeChecker, node: ts.Declaration): boolean {
  const name = ts.getNameOfDeclaration(node);
  const comment = name === undefined ? undefined : checker.getSymbolAtLocation(name)?.getDocumentationComment(checker);
  if (comment !== undefined) return comment.length > 0;
  return ts.getJSDocCommentsAndTags(node).some((doc) => doc.comment !== undefined);
}

function nameOf(node: ts.Declaration): string {
  return ts.getNameOfDeclaration(node)?.getText() ?? ts.SyntaxKind[node.kind].toLowerCase();
}

function placeOf(node: ts.Node): string {
  const file = node.getSourceFile();
  return `${relative(root, file.fileName)}:${file.getLineAndCharacterOfPosition(node.getStart()).line + 1}`;
}
