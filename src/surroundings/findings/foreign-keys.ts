import type { Settings } from '../../config/settings.js';
import { counted } from '../../format.js';
import type { KeyEnd } from '../catalog/foreign-keys.js';
import type { Section } from '../catalog/tables.js';
import { fine, gate, warning, type Finding, type Judge, type Phase } from '../finding.js';
import type { FrozenSurroundings } from '../read.js';

type Frozen = FrozenSurroundings['foreignKeys'][number];

/** The table of an end, as the configuration calls it; null: another table of the platform. */
const sectionOf = ({ tables }: FrozenSurroundings, end: Readonly<Pick<KeyEnd, 'oid'>>): Section | null =>
  tables.find(({ oid }) => oid === end.oid)?.section ?? null;

/** Foreign keys from and to the mapped tables, whatever their shape. */
export const judgeForeignKeys: Judge = (around, settings) => [
  ...around.foreignKeys.flatMap((key) => judgeForeignKey(key, { around, settings })),
  ...judgeUntouched(around),
];

function judgeForeignKey(key: Frozen, context: { around: FrozenSurroundings; settings: Settings }): Finding[] {
  const [from, to] = [sectionOf(context.around, key.from), sectionOf(context.around, key.to)];
  if (to === 'keys' || to === 'target') return judgeReferences(key, { to, self: from === to });
  if (from === 'keys') return [judgeOwn(key, to)];
  return [];
}

const partsOf = (key: Frozen): Pick<Finding, 'kind' | 'object' | 'fact'> => ({
  kind: 'foreign_key',
  object: `foreign key ${key.name} of ${key.from.table}`,
  fact: factOf(key),
});

function factOf({ from, to, ...key }: Frozen): string {
  return [
    `(${from.columns.join(', ')}) REFERENCES ${to.table} (${to.columns.join(', ')})`,
    `ON DELETE ${key.onDelete}, ON UPDATE ${key.onUpdate}`,
    ...(key.match === 'SIMPLE' ? [] : [`MATCH ${key.match}`]),
    ...(key.deferrable ? [key.deferred ? 'DEFERRABLE INITIALLY DEFERRED' : 'DEFERRABLE'] : []),
    ...(key.validated ? [] : ['NOT VALID: older rows may break it']),
    ...(key.enforced ? [] : ['not enforced: its triggers are disabled']),
    ...(key.hidden ? ['row-level security hides rows of the referencing table from this role'] : []),
  ].join(', ');
}

const MEETS: Record<'keys' | 'target', { meets: string; phases: readonly Phase[]; command: string }> = {
  keys: {
    meets: 'finalize moves per-API rows into the archive, and refuses while a row of this table references one of them',
    phases: ['finalize'],
    command: 'finalize',
  },
  target: {
    meets: 'a rollback removes account keys, and refuses while a row of this table references one of them',
    phases: ['rollback'],
    command: 'rollback',
  },
};

/** Rows that reference keys must not go with them, and must be seen. */
function judgeReferences(key: Frozen, { to, self }: { to: 'keys' | 'target'; self: boolean }): Finding[] {
  const { meets, phases, command } = MEETS[to];
  const parts = { ...partsOf(key), meets, phases };
  if (key.hidden || !key.readable)
    return [
      gate('hidden_references', `run ${command} as a role that sees every row of ${key.from.table}`, {
        ...parts,
        meets: `${command} must see every row that references a key, and this role may not`,
      }),
    ];
  const wayOut = self
    ? `before ${command}, set ${key.from.columns.join(', ')} to NULL where it references a key that moves`
    : `before ${command}, point the rows at the ${to === 'keys' ? 'new' : 'legacy'} table: key ids are kept`;
  return [warning(wayOut, parts)];
}

/** What the rows of the key table reference. The archive has no foreign keys. */
function judgeOwn(key: Frozen, to: Section | null): Finding {
  const parts = partsOf(key);
  if (to === 'apis' || to === 'accounts')
    return fine({
      ...parts,
      meets:
        to === 'apis'
          ? 'the mirror sees the per-API keys that a deleted or changed API deletes or changes'
          : 'the mirror sees the per-API keys that a deleted or changed account deletes or changes; harden gives the new table a foreign key to the accounts',
      phases: ['harden', 'mirror'],
    });
  return warning(
    `before a rollback after finalize, see that no row of ${key.to.table} is gone that archived rows reference`,
    {
      ...parts,
      meets:
        'the archive has no foreign keys, so a referenced row can be deleted, and the rollback cannot restore its keys',
      phases: ['finalize', 'rollback'],
    },
  );
}

/** Every table of a platform may reference its accounts: they are counted, since keylift deletes no account and no API. */
function judgeUntouched(around: FrozenSurroundings): Finding[] {
  return (['apis', 'accounts'] as const).flatMap((section) => {
    const table = around.tables.find((one) => one.section === section);
    const others = around.foreignKeys.filter(
      ({ from, to }) => sectionOf(around, to) === section && sectionOf(around, from) === null,
    );
    return table === undefined || others.length === 0
      ? []
      : [
          fine({
            kind: 'foreign_key',
            object: `foreign keys to ${table.name}`,
            fact: `${counted(others.length, 'foreign key')} of other tables`,
            meets: 'keylift deletes and changes no row of this table',
            phases: [],
          }),
        ];
  });
}
