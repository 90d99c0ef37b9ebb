import { counted } from '../../format.js';
import { fine, gate, nameOf, warning, type Finding, type GateName, type Judge } from '../finding.js';
import type { FrozenSurroundings } from '../read.js';

type Table = FrozenSurroundings['tables'][number];

/** Keys that are rows of the APIs or of the accounts: keylift would delete an API or an account with each key. */
export const judgeShapes: Judge = ({ tables }) => {
  const keys = tables.filter(({ section }) => section === 'keys');
  const root = keys.find(({ isPartition }) => !isPartition);
  if (root === undefined) return [];
  return OTHERS.flatMap((other) => {
    const table = tables.find((one) => one.section === other && !one.isPartition);
    return table === undefined || !shareRows(keys, table) ? [] : [sharedRows(other, { table, root })];
  });
};

/** The same table, a partition or a child of it, or a view over it. */
const shareRows = (keys: readonly Table[], table: Table): boolean =>
  keys.some(({ oid, from }) => oid === table.oid || table.from.includes(oid) || from.includes(table.oid));

const OTHERS = ['apis', 'accounts'] as const;

const SHARED: Record<(typeof OTHERS)[number], { gate: GateName; what: string; wayOut: string }> = {
  apis: {
    gate: 'keys_in_apis',
    what: 'API',
    wayOut: 'copy the keys into a table of their own, with a column for the API, and map that table',
  },
  accounts: {
    gate: 'keys_in_accounts',
    what: 'account',
    wayOut: 'copy the keys into a table of their own, with a column for the account, and map that table',
  },
};

function sharedRows(other: (typeof OTHERS)[number], { table, root }: { table: Table; root: Table }): Finding {
  const { gate: name, what, wayOut } = SHARED[other];
  return gate(name, wayOut, {
    kind: 'shape',
    object: root.name,
    fact: `a key is a row of ${root.name === table.name ? `the ${other === 'apis' ? 'APIs' : 'accounts'}` : table.name}, too`,
    meets: `finalize and the mirror delete rows of the key table, and each of them is an ${what}`,
    phases: ['expand', 'finalize'],
  });
}

/** Partitions of the key table. Triggers that see whole statements cannot be on a foreign table. */
export const judgePartitions: Judge = ({ tables }) => {
  const keys = tables.filter(({ section }) => section === 'keys');
  const root = keys.find(({ isPartition }) => !isPartition);
  const partitions = keys.filter(({ isPartition }) => isPartition);
  const foreign = partitions.filter(({ kind }) => kind === 'f');
  if (root === undefined || partitions.length === 0) return [];
  return [
    fine({
      kind: 'partition',
      object: root.name,
      fact: counted(partitions.length, 'partition'),
      meets: 'the mirror follows statements that name the table, and those that name a partition of today',
      phases: ['expand', 'mirror'],
    }),
    ...foreign.map((part) =>
      gate('foreign_partition', `detach ${part.name}, or move its rows into a partition of this database`, {
        kind: 'partition',
        object: part.name,
        fact: 'a partition that is a foreign table',
        meets: 'the triggers of the mirror cannot be on a foreign table',
        phases: ['expand'],
      }),
    ),
  ];
};

/** What reads the keys: its answers change when finalize archives rows, and when a rollback removes account keys. */
export const judgeReaders: Judge = (around) =>
  around.readers.map((reader) => {
    const table = around.tables.find(({ oid }) => oid === reader.table)!;
    const parts = {
      kind: 'reader' as const,
      object: `${reader.kind} ${reader.name}`,
      fact: reader.certain ? `reads ${nameOf(around, reader.table)}` : `its text names ${nameOf(around, reader.table)}`,
    };
    if (table.section === 'target')
      return fine({ ...parts, meets: 'a rollback removes the moved keys from this table', phases: ['rollback'] });
    return warning('before finalize, let it read keylift.per_api_keys, or the new table', {
      ...parts,
      meets: 'finalize archives the moved rows, and they are gone from what it reads',
      phases: ['finalize'],
    });
  });
