import type { Database } from '../../database/connect.js';
import type { ReadSession } from '../../database/session.js';
import { sql } from '../../database/sql.js';
import type { MappedSchema } from '../../mapping/inspect.js';
import { moment } from '../../ledger/moment.js';
import { requireAllowed } from '../../ledger/allowed.js';
import { readInstalled } from '../../ledger/installed.js';
import { readStatus } from '../../status/status.js';
import { foreignApis } from '../../surroundings/foreign-apis.js';
import { findingsOf } from '../../surroundings/findings.js';
import { readSurroundings } from '../../surroundings/read.js';
import type { MigrationFacts, ReportFacts } from './document.js';
import { readHistory } from './history.js';
import { readListedKeys } from './listed-keys.js';
import { readOutcomes } from './outcomes.js';
import { countAccounts, sourcesOf } from './sources.js';
import { readTimeline } from './timeline.js';

/**
 * Reads the facts of a report from the ledger and the tables, in one snapshot. Works in every stage, and after a
 * rollback, finalize or purge. Writes nothing.
 *
 * @param version the version of keylift
 * @throws `nothing_migrated` where no migration was ever started.
 */
export async function readReportFacts(database: Database, schema: MappedSchema, version: string): Promise<ReportFacts> {
  return database.readOnly(
    async (session) => {
      const installed = await readInstalled(session, schema.settings);
      requireAllowed('report', installed.state);
      const migration = await readMigration(session);
      const sources = await sourcesOf(session, schema, { installed, attempt: migration.attempt });
      const { now, server_version } = await session.one<{ now: string; server_version: string }>(
        `SELECT ${moment('now()')} AS now, current_setting('server_version') AS server_version`,
      );
      const { host, port, database: name } = database.where;
      return {
        made_at: now,
        version,
        database: { name, host, port, server_version, keys: schema.legacy.keys, target: schema.legacy.target },
        migration,
        status: await readStatus(session, schema, installed),
        accounts: await countAccounts(session, sources),
        ...(await readOutcomes(session, sources)),
        ...(await readListedKeys(session, sources)),
        timeline: await readTimeline(session, sources),
        ...(await readHistory(session, sources)),
        surroundings: [
          ...(await foreignApis(session, schema)),
          ...findingsOf(await readSurroundings(session, schema.settings), schema.settings),
        ],
      };
    },
    { isolation: 'repeatable read' },
  );
}

async function readMigration(session: ReadSession): Promise<MigrationFacts> {
  return session.one<MigrationFacts>(sql`
    SELECT attempt, stage, state, ${moment('started_at')} AS started_at, ${moment('changed_at')} AS changed_at, seconds
    FROM keylift.migration`);
}
