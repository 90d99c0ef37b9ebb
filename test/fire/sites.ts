import ts from 'typescript';
import { ALL_STEPS } from '../../migrations/index.js';
import { sourcesOf, type Source } from '../structure/sources.js';

/** A place in the sources that opens a transaction, or a session outside of one. */
export interface Site {
  /** File and function, `stages/migrate.ts takeHolds`; further ones of a function are numbered. */
  name: string;
  kind: 'transaction' | 'session';
  file: string;
  line: number;
}

/**
 * Folders and files whose scopes are no part of a migration: the scopes themselves, and what works on scratch
 * databases.
 */
const ELSEWHERE = /^src\/(database\/|cases\/|demo\/|run\/fence\.ts|stages\/rehearse\.ts)/;
const OPENERS: Record<string, Site['kind']> = { transaction: 'transaction', withSession: 'session' };

/** Every place of the sources where a migration's state changes hands through a scope of src/database. */
export function sitesOf(sources: readonly Source[] = sourcesOf('src')): Site[] {
  return sources.filter(({ name }) => !ELSEWHERE.test(name)).flatMap((source) => numbered(sitesIn(source)));
}

function sitesIn({ name, text }: Source): Site[] {
  const file = ts.createSourceFile(name, text, ts.ScriptTarget.Latest, true);
  const found: Site[] = [];
  const visit = (node: ts.Node): void => {
    const opener = ts.isCallExpression(node) ? openerOf(node) : undefined;
    if (opener !== undefined) {
      const line = file.getLineAndCharacterOfPosition(opener.getStart()).line + 1;
      found.push({
        name: `${name.replace(/^src\//, '')} ${functionAround(opener)}`,
        kind: OPENERS[opener.text]!,
        file: name,
        line,
      });
    }
    ts.forEachChild(node, visit);
  };
  visit(file);
  return found;
}

/** The method that opens the scope. */
function openerOf({ expression }: ts.CallExpression): ts.Identifier | undefined {
  if (!ts.isPropertyAccessExpression(expression) || !ts.isIdentifier(expression.name)) return undefined;
  return Object.hasOwn(OPENERS, expression.name.text) ? expression.name : undefined;
}

/** The nearest function, method or constant of the file around that has a name. */
function functionAround(node: ts.Node): string {
  for (let at: ts.Node | undefined = node; at !== undefined; at = at.parent) {
    if (ts.isFunctionDeclaration(at) || ts.isMethodDeclaration(at) || isConstant(at))
      return at.name?.getText() ?? '(module)';
  }
  return '(module)';
}

const isConstant = (node: ts.Node): node is ts.VariableDeclaration =>
  ts.isVariableDeclaration(node) &&
  ts.isVariableStatement(node.parent.parent) &&
  ts.isSourceFile(node.parent.parent.parent);

function numbered(sites: readonly Site[]): Site[] {
  return sites.map((site, at) => {
    const place = sites.slice(0, at).filter(({ name }) => name === site.name).length + 1;
    const several = sites.filter(({ name }) => name === site.name).length > 1;
    return several ? { ...site, name: `${site.name} (${String(place)})` } : site;
  });
}

/** Where a crash can be placed. */
export interface Failpoint {
  name: string;
  /** Whether the next thing sent is a COMMIT; whether an index is being built or dropped there. */
  at: 'before commit' | 'building' | 'between';
}

/** All failpoints, from the sources and from the steps of DDL: a new transaction or a new step is one by itself. */
export function allFailpoints(sites: readonly Site[] = sitesOf()): Failpoint[] {
  return [
    ...sites.flatMap(({ name, kind }) =>
      kind === 'transaction' ? around(name) : [between(`${name}: before`), between(`${name}: after`)],
    ),
    ...ALL_STEPS.flatMap((step) =>
      ['up', 'down'].flatMap((way) => stepPoints(`${step.name} ${way}`, step.transaction !== false)),
    ),
    ...around('knex lock'),
  ];
}

const between = (name: string): Failpoint => ({ name, at: 'between' });

const around = (name: string): Failpoint[] => [
  { name: `${name}: before commit`, at: 'before commit' },
  between(`${name}: after commit`),
];

/** A step inside a transaction is recorded by its commit; one outside by a statement of Knex's. */
function stepPoints(name: string, transaction: boolean): Failpoint[] {
  const begins = between(`${name}: before it begins`);
  if (transaction) return [begins, ...around(name)];
  return [
    begins,
    { name: `${name}: while PostgreSQL works`, at: 'building' },
    between(`${name}: before it is recorded`),
    between(`${name}: after it is recorded`),
  ];
}
