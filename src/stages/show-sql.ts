import type { Statement } from '../database/sql.js';
import type { MappedSchema } from '../mapping/inspect.js';
import { catalogue, type CatalogueSection } from './catalogue.js';

/** One statement of `plan --show-sql --json`. */
export interface ShownStatement {
  title: string;
  text: string;
}

/** The whole catalogue as a list, for programs. */
export const shownStatements = (schema: MappedSchema): ShownStatement[] =>
  catalogue(schema).flatMap(({ stage, statements }) =>
    statements.map(({ title, text }) => ({ title: `${stage}: ${title}`, text })),
  );

/** The whole catalogue as SQL, for people. */
export const shownSql = (schema: MappedSchema): string => catalogue(schema).map(sectionSql).join('\n');

/** One section as SQL: each statement under its title, in the order in which it runs. */
export const sectionSql = ({ stage, about, statements }: CatalogueSection): string =>
  [`-- Stage ${stage}. ${about}\n`, ...statements.map(statementSql)].join('\n');

function statementSql({ title, text, condition, variants }: Statement): string {
  return [
    `-- ${title}`,
    ...(condition === undefined
      ? []
      : [`-- It runs only ${condition.runs.replace('it', 'this query')}:`, ...commented(condition.query)]),
    ...(variants === undefined ? [] : [`-- Its other forms: ${variants.differ}.`]),
    `${text.replace(/;$/, '')};`,
    '',
  ].join('\n');
}

const commented = (text: string): string[] => text.split('\n').map((line) => `--   ${line}`);
