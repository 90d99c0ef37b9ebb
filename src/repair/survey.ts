import type { Database } from '../database/connect.js';
import { cutIntoChunks } from '../ledger/counted.js';
import type { Installed } from '../ledger/installed.js';
import { reached } from '../ledger/states.js';
import { ARCHIVE, withArchive } from '../mapping/archive.js';
import { overSource } from '../mapping/fragments.js';
import type { MappedSchema } from '../mapping/inspect.js';
import { readMirror, type MirrorState } from '../ledger/mirror-look.js';
import { archiveOutOfLine, outOfLine, type OutOfLine } from './statements.js';

/** Keys that are looked at together. */
const CHUNK_ROWS = 250_000;

/** What repair found, before it changes anything. */
export interface Survey {
  mirror: MirrorState | null;
  /** Keys with a legacy row, or without any. */
  keys: OutOfLine[];
  /** Keys whose per-API row is in the archive. */
  archived: OutOfLine[];
}

/** What there is to look at: before harden no index finds a key, and after a purge no source is left. */
export const comparedTables = ({ state, archive }: Installed): { legacy: boolean; archive: boolean } => ({
  legacy: reached(state!.stage, 'harden') && (state!.state === 'active' || state!.state === 'finalizing'),
  archive: archive && (state!.state === 'finalizing' || state!.state === 'finalized'),
});

/** The archive as the source of the account keys. */
export const overArchiveAlone = (schema: MappedSchema): MappedSchema['legacy'] => overSource(schema.legacy, ARCHIVE);

/** Looks at the mirror and at every key, chunk by chunk; reads only. */
export async function survey(database: Database, schema: MappedSchema, installed: Installed): Promise<Survey> {
  const mirror = await database.readOnly((session) => readMirror(session, schema, installed));
  const compared = comparedTables(installed);
  const idType = schema.types.id;
  return {
    mirror,
    keys: compared.legacy
      ? await lookThrough(database, schema, {
          installed,
          statement: outOfLine(schema.legacy, { idType, archived: compared.archive }),
        })
      : [],
    archived: compared.archive
      ? await lookThrough(database, schema, {
          installed,
          statement: archiveOutOfLine(overArchiveAlone(schema), idType),
        })
      : [],
  };
}

async function lookThrough(
  database: Database,
  schema: MappedSchema,
  { installed, statement }: { installed: Installed; statement: string },
): Promise<OutOfLine[]> {
  const source = await database.readOnly((session) => withArchive(session, schema, installed));
  const found: OutOfLine[] = [];
  for (const chunk of await cutIntoChunks(database, source, CHUNK_ROWS)) {
    const { rows } = await database.readOnly((session) => session.query<OutOfLine>(statement, chunk));
    for (const row of rows) found.push(row);
  }
  return found;
}
