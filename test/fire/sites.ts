import ts from 'typescript';
import { ALL_STEPS } from '../../migrations/index.js';
import { sourcesOf, type Source } from '../structure/sources.js';

/** A transaction in the sources, or a session outside of one, by the name that the code gives it. */
export interface Site {
  name: string;
  kind: 'transaction' | 'session';
}

/** Folders and files whose scopes are no part of a migration: wrappers of scopes, and work on scratch databases. */
const ELSEWHERE = /^src\/(database\/|cases\/|demo\/|run\/fence\.ts|stages\/rehearse\.ts)/;
const OPENERS: Record<string, Site['kind']> = { transaction: 'transaction', withSession: 'session' };

/** Every transaction and every session of the sources that changes the state of a migration. */
export const sitesOf = (sources: readonly Source[] = sourcesOf('src')): Site[] =>
  sources.filter(({ name }) => !ELSEWHERE.test(name)).flatMap(sitesIn);

function sitesIn({ name, text }: Source): Site[] {
  const file = ts.createSourceFile(name, text, ts.ScriptTarget.Latest, true);
  const found: Site[] = [];
  const visit = (node: ts.Node): void => {
    const kind = ts.isCallExpression(node) ? kindOf(node) : undefined;
    if (kind !== undefined) found.push({ name: nameOf(node as ts.CallExpression, file), kind });
    ts.forEachChild(node, visit);
  };
  visit(file);
  return found;
}

const kindOf = ({ expression }: ts.CallExpression): Site['kind'] | undefined =>
  ts.isPropertyAccessExpression(expression) && Object.hasOwn(OPENERS, expression.name.text)
    ? OPENERS[expression.name.text]
    : undefined;

/** The name in the options of a scope. @throws where it is no literal: the list of failpoints would miss it */
function nameOf(call: ts.CallExpression, file: ts.SourceFile): string {
  const options = call.arguments[1];
  const property =
    options !== undefined && ts.isObjectLiteralExpression(options)
      ? options.properties.find((one) => one.name?.getText() === 'name')
      : undefined;
  if (property !== undefined && ts.isPropertyAssignment(property) && ts.isStringLiteral(property.initializer))
    return property.initializer.text;
  const line = file.getLineAndCharacterOfPosition(call.getStart()).line + 1;
  throw new Error(`${file.fileName}:${String(line)}: this scope has no name that is a literal`);
}

/** Where a crash can be placed. */
export interface Failpoint {
  name: string;
  /** Whether the next thing sent is a COMMIT; whether an index is being built or dropped there. */
  at: 'before commit' | 'building' | 'between';
}

/** All failpoints, from the sources and from the steps of DDL: a new transaction or a new step adds its own. */
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
