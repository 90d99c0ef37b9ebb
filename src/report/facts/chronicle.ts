import type { Database } from '../../database/connect.js';
import type { ReadSession } from '../../database/session.js';
import { RefusedError } from '../../errors.js';
import type { MappedSchema } from '../../mapping/inspect.js';
import { moment } from '../../ledger/moment.js';
import { readState } from '../../ledger/state.js';
import { readStatus } from '../../status/status.js';
import { readAside } from './aside.js';
import type { Chronicle, MigrationFacts } from './document.js';
import { countAccounts, groundOf } from './ground.js';
import { readOutcomes } from './outcomes.js';
import { readTimeline } from './timeline.js';
import { readTrail } from './trail.js';

/**
 * Reads a migration's story from the ledger and the tables, in one snapshot: at any stage, also taken back, finalized
 * or purged. Writes nothing.
 *
 * @param version keylift's own
 * @throws RefusedError `nothing_migrated` where no migration was ever begun.
 */
export async function readChronicle(database: Database, schema: MappedSchema, version: string): Promise<Chronicle> {
  return database.readOnly(
    async (session) => {
      const migration = await readMigration(session);
      const ground = await groundOf(session, schema, migration.attempt);
      const { now, server_version } = await session.one<{ now: string; server_version: string }>(
        `SELECT ${moment('now()')} AS now, current_setting('server_version') AS server_version`,
      );
      const { host, port, database: name } = database.where;
      return {
        made_at: now,
        version,
        database: { name, host, port, server_version, keys: schema.legacy.keys, target: schema.legacy.target },
        migration,
        status: await readStatus(session, schema),
        accounts: await countAccounts(session, ground),
        ...(await readOutcomes(session, ground)),
        ...(await readAside(session, ground)),
        timeline: await readTimeline(session, ground),
        ...(await readTrail(session, ground)),
      };
    },
    { isolation: 'repeatable read' },
  );
}

async function readMigration(session: ReadSession): Promise<MigrationFacts> {
  if ((await readState(session)) === null) {
    throw new RefusedError('nothing_migrated', 'there is no migration to report on', {
      hint: 'Run keylift migrate first; keylift plan tells what it would do.',
      anchor: 'nothing-migrated',
    });
  }
  return session.one<MigrationFacts>(
    `SELECT attempt, stage, state, ${moment('started_at')} AS started_at, ${moment('changed_at')} AS changed_at, seconds FROM keylift.migration`,
  );
}
