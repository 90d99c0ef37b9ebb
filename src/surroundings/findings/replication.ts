import { fine, gate, listed, nameOf, warning, type Finding, type Judge } from '../finding.js';
import type { FrozenSurroundings } from '../read.js';

type Publication = FrozenSurroundings['publications'][number];

/** Publications of the mapped tables, and those that will publish the new table. */
export const judgePublications: Judge = (around) =>
  around.publications.flatMap((publication) => [
    ...judgePublished(publication, around),
    ...judgeNewTables(publication, around),
  ]);

const partsOf = (publication: Publication): Pick<Finding, 'kind' | 'object'> => ({
  kind: 'publication',
  object: `publication ${publication.name}`,
});

function judgePublished(publication: Publication, around: FrozenSurroundings): Finding[] {
  const published = around.tables.filter(({ oid }) => publication.tables.includes(oid));
  if (published.length === 0) return [];
  const fact = `publishes ${listed(publication.publishes)} of ${listed(published.map(({ name }) => name))}`;
  const keys = published.filter(({ section }) => section === 'keys' || section === 'target');
  const parts = { ...partsOf(publication), fact };
  if (keys.length === 0) return [fine({ ...parts, meets: 'keylift writes to none of these tables', phases: [] })];
  const changes = publication.publishes.includes('UPDATE') || publication.publishes.includes('DELETE');
  const unidentified = keys.filter(({ replicaIdentity }) => replicaIdentity === 'none');
  if (changes && unidentified.length > 0)
    return [
      gate('replica_identity', unidentified.map(({ name }) => `ALTER TABLE ${name} REPLICA IDENTITY FULL`).join('; '), {
        ...parts,
        meets:
          'PostgreSQL refuses to update and delete published rows without a replica identity, and keylift must do so',
        phases: ['expand', 'mirror', 'finalize', 'rollback'],
      }),
    ];
  return publication.publishes.includes('DELETE') && keys.some(({ section }) => section === 'keys')
    ? [
        warning('tell the subscribers: rows that finalize archives disappear there, too', {
          ...parts,
          meets: 'finalize deletes the archived rows, and a rollback inserts them again',
          phases: ['finalize', 'rollback'],
        }),
      ]
    : [fine({ ...parts, meets: 'subscribers get the changes that keylift makes', phases: ['mirror'] })];
}

function judgeNewTables(publication: Publication, { tables }: FrozenSurroundings): Finding[] {
  if (!publication.allTables && !publication.targetSchema) return [];
  if (!publication.allTables && tables.some(({ section }) => section === 'target')) return [];
  return [
    warning('make the new table at each subscriber before expand, or its worker stops; protect the tokens there, too', {
      ...partsOf(publication),
      fact: publication.allTables ? 'FOR ALL TABLES' : 'FOR TABLES IN SCHEMA of the new table',
      meets: publication.allTables
        ? 'it publishes the new table, the ledger and the archive'
        : 'it publishes the new table',
      phases: ['expand', 'backfill', 'mirror', 'finalize'],
    }),
  ];
}

/** A worker that applies changes of another server fires no ordinary trigger, so the mirror would miss them. */
export const judgeSubscriptions: Judge = (around) =>
  around.subscriptions.map(({ name, enabled, table: oid }) => {
    const table = around.tables.find((one) => one.oid === oid)!;
    const parts = {
      kind: 'subscription' as const,
      object: `subscription ${name}`,
      fact: `feeds ${nameOf(around, oid)}${enabled ? '' : ', disabled'}`,
    };
    if (table.section === 'keys' || table.section === 'target')
      return gate('subscriber', 'migrate on the publisher, where the keys are written, or drop the subscription', {
        ...parts,
        meets: 'the triggers of the mirror do not fire for the rows that a subscription writes',
        phases: ['expand', 'finalize'],
      });
    return warning('see that no account that has keys is deleted on the publisher: no foreign key stops that here', {
      ...parts,
      meets: 'foreign keys do not hold for the rows that a subscription deletes',
      phases: ['harden', 'mirror'],
    });
  });

/** How many standbys a commit waits for: `FIRST 2 (a, b)`, `ANY 1 (a, b)`, `2 (a, b)`, `a, b`. */
const neededStandbys = (names: string): number => Number(/^\s*(?:(?:first|any)\s+)?(\d+)\s*\(/i.exec(names)?.[1] ?? 1);

/** A commit waits for ever for a standby that is away. */
export const judgeStandbys: Judge = ({ server, standbys: { names, commit, connected, visible } }) => {
  if (server.isStandby)
    return [
      gate('standby', 'connect to the primary', {
        kind: 'standby',
        object: 'the server',
        fact: 'a standby, which takes no writes',
        meets: 'every command but plan, check and verify writes',
        phases: ['expand', 'finalize', 'rollback'],
      }),
    ];
  if (names.trim() === '' || commit === 'off' || commit === 'local') return [];
  const needed = neededStandbys(names);
  const parts = {
    kind: 'standby' as const,
    object: 'synchronous_standby_names',
    fact: `${names}, synchronous_commit ${commit}, ${String(connected)} of ${String(needed)} connected`,
  };
  if (connected >= needed) return [fine({ ...parts, meets: 'a commit waits for these standbys', phases: ['expand'] })];
  if (!visible)
    return [
      warning('GRANT pg_read_all_stats to the role, or look at pg_stat_replication as a superuser', {
        ...parts,
        meets: 'a commit waits for these standbys, and this role may not see whether they are connected',
        phases: ['expand'],
      }),
    ];
  return [
    gate('synchronous_standby', 'connect the standbys, or change synchronous_standby_names', {
      ...parts,
      meets: 'every commit waits until the standbys are back',
      phases: ['expand', 'finalize', 'rollback'],
    }),
  ];
};
