import { CATALOGUE, type ErrorCode } from '../src/errors/catalogue.js';
import type { CatalogueEntry } from '../src/errors/entry.js';
import { EXIT } from '../src/errors/exit-codes.js';
import { BUG_CODES } from '../src/errors/codes/bugs.js';
import { COMMAND_LINE_CODES } from '../src/errors/codes/command-line.js';
import { DATABASE_CODES } from '../src/errors/codes/database.js';
import { FIXTURE_CODES } from '../src/errors/codes/fixtures.js';
import { MAPPING_CODES } from '../src/errors/codes/mapping.js';
import { MIGRATION_CODES } from '../src/errors/codes/migration.js';

/** The tables of the page, in the order in which an operator meets them. */
const TABLES: Record<string, Partial<Record<ErrorCode, CatalogueEntry>>> = {
  'Command line, configuration and files': COMMAND_LINE_CODES,
  Mapping: MAPPING_CODES,
  Database: DATABASE_CODES,
  Migration: MIGRATION_CODES,
  'Fixtures and the embedded server': FIXTURE_CODES,
  Bugs: BUG_CODES,
};

const INTRODUCTION = `<!-- npm run docs writes this page from src/errors/codes; do not edit it -->

# Messages

keylift writes an error to stderr. It begins with \`keylift:\`, then says what happened, gives facts, says what to do
next, and ends with a section of the [runbook](../runbook.md) and the code. With \`--json\` the command also prints the
error as a document to stdout ([schema](../schemas/error.schema.json)). With \`--log-file\` the code is in the log.

For an error of the database the message has the SQLSTATE, the work that failed, and a caret under the fault in the
statement. It leaves out the values of rows. No message holds a token or a password.
`;

/** docs/messages.md: every code with its exit code, its meaning, what to do and its runbook section. */
export function messagesPage(): string {
  const tables = Object.entries(TABLES).map(([title, codes]) => `## ${title}\n\n${tableOf(codes)}\n`);
  const total = `${String(Object.keys(CATALOGUE).length)} codes.\n`;
  return [INTRODUCTION, ...tables, total].join('\n');
}

function tableOf(codes: Partial<Record<ErrorCode, CatalogueEntry>>): string {
  const rows = Object.entries(codes).map(
    ([code, { exit, meaning, hint, section }]) =>
      `| \`${code}\` | ${String(EXIT[exit])} | ${cell(meaning)} | ${cell(hint)} | [${section}](../runbook.md#${section}) |`,
  );
  return ['| code | exit | means | do | runbook |', '|---|---|---|---|---|', ...rows].join('\n');
}

const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('<', '&lt;');
