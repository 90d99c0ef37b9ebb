import ts from 'typescript';
import type { Source } from './sources.js';

/** One place in the sources that makes an error with a code. */
export interface Construction {
  /** `file:line`. */
  place: string;
  /** The class of the error, `UsageError` say. */
  kind: string;
  /** As written; what is only known when it runs stands as `…`. */
  code: string;
  /** The sentence as written, `…` for each value in it; undefined where it is made elsewhere. */
  message: string | undefined;
  /** Undefined where the details come from a caller: the type of details asks for one. */
  hint: string | undefined;
  /** Undefined where no text can be found for it. */
  anchor: string | undefined;
}

type Details = Pick<Construction, 'hint' | 'anchor'>;
type Scope = (name: string) => ts.Expression | undefined;

/** The class every error with a code comes from. */
const ROOT = 'KeyliftError';

interface ErrorClass {
  parent: string;
  /** What it fixes by its own `super(…)`. */
  fixed: Details & { code: string | undefined };
}

/**
 * All constructions of KeyliftError and its subclasses. A function that takes a part of the code as its first parameter
 * (`embedded_${reason}`) counts as a construction wherever it is called.
 */
export function constructionsIn(sources: readonly Source[]): Construction[] {
  const files = sources.map(({ name, text }) => ts.createSourceFile(name, text, ts.ScriptTarget.Latest, true));
  const classes = errorClasses(files);
  const made = files.flatMap((file) =>
    nodesOf(file, ts.isNewExpression).flatMap((node) => constructionOf(node, classes)),
  );
  const calls = files.flatMap((file) => nodesOf(file, ts.isCallExpression));
  const found: Construction[] = [];
  for (let open = made; open.length > 0;) {
    found.push(...open.flatMap(({ factory, ...construction }) => (factory === undefined ? [construction] : [])));
    const factories = new Map(open.flatMap((one) => (one.factory === undefined ? [] : [[one.factory, one] as const])));
    open = calls.flatMap((call) => throughFactory(call, factories));
  }
  return found;
}

/** With the function whose callers know the rest of the code, if there is one. */
type Made = Construction & { factory: string | undefined };

function errorClasses(files: readonly ts.SourceFile[]): Map<string, ErrorClass> {
  const declared = files
    .flatMap((file) => nodesOf(file, ts.isClassDeclaration))
    .flatMap((node) => {
      const parent = node.heritageClauses?.[0]?.types[0]?.expression.getText();
      return node.name === undefined || parent === undefined ? [] : [{ name: node.name.text, node, parent }];
    });
  const classes = new Map<string, ErrorClass>([
    [ROOT, { parent: '', fixed: { code: undefined, hint: undefined, anchor: undefined } }],
  ]);
  for (let known = 0; known < classes.size;) {
    known = classes.size;
    for (const { name, node, parent } of declared)
      if (classes.has(parent)) classes.set(name, { parent, fixed: fixedBy(node) });
  }
  return classes;
}

function fixedBy(node: ts.ClassDeclaration): ErrorClass['fixed'] {
  const [call] = nodesOf(node, ts.isCallExpression).filter(
    ({ expression }) => expression.kind === ts.SyntaxKind.SuperKeyword,
  );
  if (call === undefined) return { code: undefined, hint: undefined, anchor: undefined };
  const [code] = call.arguments;
  return {
    code: code !== undefined && ts.isStringLiteral(code) ? code.text : undefined,
    ...detailsOf(call.arguments.at(-1), scopeOf(call)),
  };
}

function constructionOf(node: ts.NewExpression, classes: ReadonlyMap<string, ErrorClass>): Made[] {
  const kind = node.expression.getText();
  const found = classes.get(kind);
  if (found === undefined) return [];
  const rest = [...(node.arguments ?? [])];
  const code = found.fixed.code ?? textOf(rest.shift()) ?? '…';
  const message = textOf(rest.find((argument) => !argument.getText().startsWith('EXIT.')));
  const { hint, anchor } = detailsOf(rest.at(-1), scopeOf(node));
  return [
    {
      place: placeOf(node),
      kind,
      code,
      message,
      hint: hint ?? found.fixed.hint,
      anchor: anchor ?? found.fixed.anchor,
      factory: code.includes('…') ? functionAround(node) : undefined,
    },
  ];
}

function throughFactory(call: ts.CallExpression, factories: ReadonlyMap<string, Made>): Made[] {
  const factory = factories.get(call.expression.getText());
  if (factory === undefined) return [];
  const [reason, message, details] = call.arguments;
  const { hint, anchor } = detailsOf(details, scopeOf(call));
  const code = factory.code.replace('…', textOf(reason) ?? '…');
  return [
    {
      kind: factory.kind,
      place: placeOf(call),
      code,
      message: textOf(message) ?? factory.message,
      hint: hint ?? factory.hint,
      anchor: anchor ?? factory.anchor,
      factory: code.includes('…') ? functionAround(call) : undefined,
    },
  ];
}

/** A text as it is written, with `…` for each value in it. */
function textOf(node: ts.Expression | undefined): string | undefined {
  if (node === undefined) return undefined;
  if (ts.isStringLiteralLike(node)) return node.text;
  if (ts.isTemplateExpression(node))
    return node.head.text + node.templateSpans.map(({ literal }) => `…${literal.text}`).join('');
  return undefined;
}

function detailsOf(node: ts.Expression | undefined, scope: Scope): Details {
  return { hint: textOf(property(node, 'hint', scope)), anchor: textOf(property(node, 'anchor', scope)) };
}

/** A property of an object as written, also where it comes by a spread or a constant of the same file. */
function property(node: ts.Expression | undefined, name: string, scope: Scope): ts.Expression | undefined {
  if (node === undefined) return undefined;
  if (ts.isIdentifier(node)) return property(scope(node.text), name, scope);
  if (!ts.isObjectLiteralExpression(node)) return undefined;
  for (const part of [...node.properties].reverse()) {
    if (ts.isPropertyAssignment(part) && part.name.getText() === name) return part.initializer;
    const spread = ts.isSpreadAssignment(part) ? property(part.expression, name, scope) : undefined;
    if (spread !== undefined) return spread;
  }
  return undefined;
}

/** Constants of the function around a node, else of its file. */
function scopeOf(node: ts.Node): Scope {
  const within = (around: ts.Node, name: string) =>
    nodesOf(around, ts.isVariableDeclaration).find((one) => one.name.getText() === name)?.initializer;
  return (name) => {
    for (let around: ts.Node | undefined = node; around !== undefined; around = around.parent) {
      const found = ts.isFunctionLike(around) || ts.isSourceFile(around) ? within(around, name) : undefined;
      if (found !== undefined) return found;
    }
    return undefined;
  };
}

function functionAround(node: ts.Node): string | undefined {
  for (let around: ts.Node | undefined = node; around !== undefined; around = around.parent) {
    if (ts.isFunctionDeclaration(around)) return around.name?.text;
  }
  return undefined;
}

function nodesOf<T extends ts.Node>(root: ts.Node, is: (node: ts.Node) => node is T): T[] {
  const found: T[] = [];
  const visit = (node: ts.Node): void => {
    if (is(node)) found.push(node);
    ts.forEachChild(node, visit);
  };
  visit(root);
  return found;
}

function placeOf(node: ts.Node): string {
  const file = node.getSourceFile();
  return `${file.fileName}:${String(file.getLineAndCharacterOfPosition(node.getStart()).line + 1)}`;
}
