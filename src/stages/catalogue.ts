import type { Migration } from '../../migrations/context.js';
import { STEPS } from '../../migrations/index.js';
import type { Statement } from '../database/sql.js';
import { idsAreTokens } from '../mapping/id-is-token.js';
import { idsNotIn } from '../mapping/known-ids.js';
import { legacyFragments } from '../mapping/fragments.js';
import type { MappedSchema } from '../mapping/inspect.js';
import { expressionsInCatalog } from '../mapping/search-path.js';
import { valueTypes } from '../mapping/value-types.js';
import { rowsToldApart } from '../preflight/tables.js';
import { apisOfOneAccount } from '../surroundings/foreign-apis.js';
import { backfillStatements } from './backfill/catalogue.js';
import { afterArchiving, archiving, beforeArchiving } from './finalize/catalogue.js';
import { beforeMirror, settlingAgain, whereRefused } from './harden/catalogue.js';
import { migrationTotals } from './migrate.js';
import { ending, removing, restoring } from './rollback/catalogue.js';
import { switchStatements } from './switch/statements.js';
import { removingAll } from './uninstall/catalogue.js';
import { verifyStatements } from './verify/catalogue.js';

export type CatalogueStage =
  'expand' | 'backfill' | 'harden' | 'verify' | 'switch' | 'rollback' | 'finalize' | 'uninstall';

/** A part of the catalogue: one file of `docs/sql`. */
export interface CatalogueSection {
  stage: CatalogueStage;
  /** What a reader should know of the whole. */
  about: string;
  statements: Statement[];
}

/**
 * Every statement and function that a migration installs or runs on the operator's database, by stage and in the order in
 * which it runs. `docs/sql` and `plan --show-sql` print it, the stages run the same texts, and a test compares it with what
 * the server gets. The bookkeeping of the ledger (runs, leases, states, events) is not in it.
 */
export const catalogue = (schema: MappedSchema): CatalogueSection[] => [
  {
    stage: 'expand',
    about: 'Adds the ledger, the new table, authorize and the change log. Nothing that the platform reads changes.',
    statements: [...readings(schema), ...stepsUp(schema, [...STEPS.expandForGood, ...STEPS.expand])],
  },
  {
    stage: 'backfill',
    about: 'Copies the keys in batches, several at once. Each batch is one transaction.',
    statements: backfillStatements(schema),
  },
  {
    stage: 'harden',
    about: 'Adds indexes, turns the mirror on and adds constraints. authorize then answers switched accounts.',
    statements: [
      ...stepsUp(schema, STEPS.harden.slice(0, 3)),
      ...beforeMirror(schema),
      ...stepsUp(schema, STEPS.harden.slice(3)),
      ...whereRefused(schema),
      ...settlingAgain(schema),
    ],
  },
  {
    stage: 'verify',
    about: 'Proves the copy and the authorization, chunk by chunk, and synchronises the last use.',
    statements: verifyStatements(schema),
  },
  {
    stage: 'switch',
    about: 'Switches accounts, or switches them back. Before it, last use is synchronised as in verify.',
    statements: [...switchStatements(schema), totals(schema)],
  },
  {
    stage: 'rollback',
    about: 'Takes everything back. Between its steps it synchronises last use as verify does, and switches back.',
    statements: [
      ...stepsDown(schema, STEPS.finalize.slice(1)),
      ...restoring(schema),
      ...stepsDown(schema, STEPS.finalize.slice(0, 1)),
      ...removing(schema),
      ...stepsDown(schema, [...STEPS.expand, ...STEPS.harden]),
      ...ending(schema),
    ],
  },
  {
    stage: 'finalize',
    about: 'Archives the moved per-API rows in pages and removes the mirror. The proof of verify runs before.',
    statements: [
      ...beforeArchiving(schema),
      ...stepsUp(schema, STEPS.finalize.slice(0, 1)),
      ...archiving(schema),
      ...stepsUp(schema, STEPS.finalize.slice(1)),
      ...afterArchiving(),
    ],
  },
  {
    stage: 'uninstall',
    about: 'Removes everything that keylift created, in one transaction, after a rollback or a purge.',
    statements: removingAll(schema),
  },
];

/** What every command reads first. */
function readings(schema: MappedSchema): Statement[] {
  const { settings, legacy, types } = schema;
  const withoutTypes = legacyFragments(settings);
  return [
    valueTypes(withoutTypes, settings),
    expressionsInCatalog(withoutTypes),
    { title: 'can the keys be told apart?', text: rowsToldApart(legacy, { partitioned: types.idMayRepeat }) },
    { title: 'are ids made of tokens?', text: idsAreTokens(schema) },
    { title: 'would account keys open APIs of other accounts?', text: apisOfOneAccount(legacy) },
    {
      title: 'with a list of keys: which of them do not exist?',
      text: idsNotIn({ from: `${legacy.keys} k`, id: legacy.id(), type: types.id }),
    },
    {
      title: 'with a list of accounts: which of them do not exist?',
      text: idsNotIn({ from: `${legacy.accounts} o`, id: legacy.accountId(), type: types.account }),
    },
  ];
}

const totals = ({ legacy: l }: MappedSchema): Statement => ({
  title: 'totals that migrate prints',
  text: migrationTotals(l, { target: true }),
  variants: { differ: 'the new table is left out where there is none', texts: [migrationTotals(l, { target: false })] },
});

const stepsUp = (schema: MappedSchema, steps: readonly Migration[]): Statement[] =>
  steps.flatMap((step) => ofStep(step, step.statements.up(schema)));

/** Steps are taken back last first. */
const stepsDown = (schema: MappedSchema, steps: readonly Migration[]): Statement[] =>
  [...steps].reverse().flatMap((step) => ofStep(step, step.statements.down(schema)));

const ofStep = ({ name }: Migration, statements: readonly Statement[]): Statement[] =>
  statements.map((statement) => ({ ...statement, title: `step ${name}: ${statement.title}` }));
