import { defaultSchema } from '../src/mapping/default-schema.js';
import { catalogue } from '../src/stages/catalogue.js';
import { sectionSql } from '../src/stages/show-sql.js';

const HEAD = '-- Made by npm run docs for the default configuration; not to be edited.\n';

/** `docs/sql`: everything that a migration installs or runs for the default configuration, a file for each stage. */
export const sqlFiles = (): Record<string, string> =>
  Object.fromEntries(
    catalogue(defaultSchema()).map((section) => [`docs/sql/${section.stage}.sql`, `${HEAD}${sectionSql(section)}`]),
  );
