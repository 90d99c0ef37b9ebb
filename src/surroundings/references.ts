import { quoteIdentifier } from '../config/identifiers.js';
import { sql } from '../database/sql.js';
import type { ReadSession } from '../database/session.js';
import type { MappedSchema } from '../mapping/inspect.js';
import type { FrozenSurroundings } from './read.js';

/** Stages that delete rows which other tables may reference. */
export type DeletingStage = 'finalize' | 'rollback';

type ForeignKey = FrozenSurroundings['foreignKeys'][number];

/** A foreign key under which rows reference keys that the stage deletes, and its shape. */
export interface Reference {
  object: string;
  shape: string;
}

/**
 * Foreign keys over several columns, or to another unique column than the id, whose rows reference keys that the stage is
 * about to delete. For foreign keys to the id alone the stages look themselves, and print how to repoint them.
 */
export async function referencesOfOtherShapes(
  session: ReadSession,
  { schema, around, stage }: { schema: MappedSchema; around: FrozenSurroundings; stage: DeletingStage },
): Promise<Reference[]> {
  const found: Reference[] = [];
  for (const key of around.foreignKeys) {
    if (!isConcerned(key, { schema, around, stage }) || key.hidden || !key.readable) continue;
    const { referenced } = await session.one<{ referenced: boolean }>(isReferenced(key, { schema, stage }));
    if (referenced) found.push({ object: `foreign key ${key.name} of ${key.from.table}`, shape: shapeOf(key) });
  }
  return found;
}

function isConcerned(
  { to }: ForeignKey,
  { schema, around, stage }: { schema: MappedSchema; around: FrozenSurroundings; stage: DeletingStage },
): boolean {
  const section = around.tables.find(({ oid }) => oid === to.oid)?.section;
  const id = stage === 'finalize' ? schema.settings.legacy.keys.id : 'id';
  return section === (stage === 'finalize' ? 'keys' : 'target') && !(to.columns.length === 1 && to.columns[0] === id);
}

const shapeOf = ({ from, to }: ForeignKey): string =>
  `(${from.columns.join(', ')}) REFERENCES ${to.table} (${to.columns.join(', ')})`;

function isReferenced(
  { from, to }: ForeignKey,
  { schema: { legacy: l }, stage }: { schema: MappedSchema; stage: DeletingStage },
): string {
  const same = from.columns.map((column, at) => `f.${quoteIdentifier(column)} = k.${quoteIdentifier(to.columns[at]!)}`);
  const leaves =
    stage === 'rollback'
      ? 'k.origin_api_id IS NOT NULL'
      : sql`
        (EXISTS (SELECT FROM ${l.target} t WHERE t.id = ${l.id()} AND t.origin_api_id IS NOT NULL)
          OR EXISTS (SELECT FROM keylift.outcomes x WHERE x.key_id = ${l.id()} AND x.outcome = 'merge'))`;
  return sql`
    /* looking for references to keys that are about to leave */
    SELECT EXISTS (
      SELECT FROM ${from.table} f JOIN ${to.table} k ON ${same.join(' AND ')}
      WHERE ${leaves}
    ) AS referenced`;
}
