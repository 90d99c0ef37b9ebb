import { hiddenSessions, hiddenText } from '../database/hidden-sessions.js';
import type { ReadSession } from '../database/session.js';
import type { MappedSchema } from '../mapping/inspect.js';
import { carriedUniques } from '../mapping/uniques.js';
import type { Note } from './note.js';
import { doubtsAboutRevocations } from './revocation-doubts.js';

/** What a sound mapping means for the migration, where that may surprise. */
export async function doubtsAbout(session: ReadSession, schema: MappedSchema): Promise<Note[]> {
  return [
    ...(await aboutStore(session, schema)),
    ...(await aboutZone(session, schema)),
    ...(await doubtsAboutRevocations(session, schema)),
    ...aboutSettings(schema),
    ...aboutTwice(schema),
    ...aboutIds(schema),
    ...aboutPartitions(schema),
    ...aboutOtherTables(schema),
    ...(await aboutIndexes(session, schema)),
    ...(await aboutRole(session)),
  ];
}

async function aboutStore(session: ReadSession, { legacy: l }: MappedSchema): Promise<Note[]> {
  const { total, store } = await session.one<{ total: string; store: string }>(
    `SELECT count(*) AS total, count(*) FILTER (WHERE ${l.inStore()}) AS store FROM ${l.apis} a`,
  );
  const say = (note: string): Note[] => [{ at: 'legacy.apis.inStore', note }];
  if (total !== '0' && store === '0')
    return say(`none of the ${total} APIs is in the store: every key would stay where it is`);
  return total !== '0' && store === total
    ? say(`all ${total} APIs are in the store: no custom API is told apart from them`)
    : [];
}

async function aboutZone(session: ReadSession, { legacy: l, settings }: MappedSchema): Promise<Note[]> {
  const { expiresAt, timeZone } = settings.legacy.keys;
  if (expiresAt === null || timeZone !== undefined) return [];
  const { type, zone } = await session.one<{ type: string; zone: string }>(
    `SELECT pg_typeof((SELECT ${l.expiresAt()} FROM ${l.keys} k WHERE false))::text AS type, current_setting('TimeZone') AS zone`,
  );
  if (type !== 'timestamp without time zone' && type !== 'date') return [];
  return [
    {
      at: 'legacy.keys.expiresAt',
      note: `is ${type}: it is compared with the clock in the zone of the session that asks (here ${zone}). If the platform always means one zone, say so: "timeZone": "UTC"`,
    },
  ];
}

/** What cannot be carried back must not be changed where it would be lost. */
function aboutSettings({
  legacy: { writable: w, hasName },
  settings: {
    legacy: { keys },
  },
}: MappedSchema): Note[] {
  const refused = {
    revokedAt: 'revoked',
    expiresAt: 'given another expiry',
    token: 'given another token',
    account: 'moved to another account',
    ...(hasName ? { name: 'renamed' } : {}),
  };
  return Object.entries(refused)
    .filter(([value]) => w[value as keyof typeof w] === null)
    .map(([value, done]) => ({
      at: `legacy.keys.${value}`,
      note: `${keys[value as 'name'] === null ? 'there is no such column' : 'it is computed'}, so an account key cannot be ${done} in Settings before finalize: the per-API key could not follow. It can be deleted`,
    }));
}

/** A change in Settings is carried back column by column, and such a column takes one of two. */
function aboutTwice({
  settings: {
    legacy: { keys },
  },
}: MappedSchema): Note[] {
  const values = (['name', 'token', 'account', 'revokedAt', 'expiresAt'] as const).map((value): [string, unknown] => [
    value,
    keys[value],
  ]);
  const all = [...values, ...keys.carry.map((column, at): [string, unknown] => [`carry[${String(at)}]`, column])];
  return all.flatMap(([value, column], at) => {
    const first = all.slice(0, at).find(([, other]) => typeof column === 'string' && other === column);
    return first === undefined
      ? []
      : [
          {
            at: `legacy.keys.${value}`,
            note: `${JSON.stringify(column)} is mapped already, as ${first[0]}: of a change in Settings the legacy table follows that one`,
          },
        ];
  });
}

function aboutIds({ types }: MappedSchema): Note[] {
  const at = 'legacy.keys.id';
  if (types.idMayRepeat)
    return [
      {
        at,
        note: 'the unique index keeps ids apart within a partition; across partitions the mirror refuses a second one, and nothing else does',
      },
    ];
  if (types.idIsInteger && types.idSequence === null) {
    return [
      {
        at,
        note: 'no sequence makes these ids: keys born in Settings draw theirs from keylift.key_ids, and whoever makes per-API keys must not meet them',
      },
    ];
  }
  if (!types.idIsInteger && types.idDefault === null)
    return [
      { at, note: 'no id can be made that fits this column: the platform must give keys born in Settings theirs' },
    ];
  return [];
}

const aboutPartitions = ({ partitions }: MappedSchema): Note[] =>
  partitions.length === 0
    ? []
    : [
        {
          at: 'legacy.keys.table',
          note: `${String(partitions.length)} partitions: the mirror follows statements that name the table, and those that name a partition there is now. A partition made or attached later must be written through the table`,
        },
      ];

function aboutOtherTables({
  settings: {
    legacy: { keys },
  },
}: MappedSchema): Note[] {
  return (['name', 'createdAt', 'revokedAt', 'expiresAt', 'api', 'account'] as const).flatMap((value) => {
    const mapped = keys[value];
    const elsewhere = mapped !== null && typeof mapped !== 'string' && /\bselect\b|\b[ao]\s*\./i.test(mapped.sql);
    return elsewhere
      ? [
          {
            at: `legacy.keys.${value}`,
            note: 'looks at other tables, whose changes the mirror does not see: verify finds them, and another keylift migrate brings them over',
          },
        ]
      : [];
  });
}

async function aboutIndexes(session: ReadSession, schema: MappedSchema): Promise<Note[]> {
  const { left } = await carriedUniques(session, schema.settings);
  return [
    ...(schema.types.tokenIndexed
      ? []
      : [
          {
            at: 'legacy.keys.token',
            note: 'no index leads by it: migrate builds one beside the traffic, and takes it away with a rollback',
          },
        ]),
    ...left.map((index) => ({
      at: 'legacy.keys.carry',
      note: `the uniqueness of ${index} is not brought along: not all it is about is carried as it is`,
    })),
  ];
}

async function aboutRole(session: ReadSession): Promise<Note[]> {
  const hidden = await hiddenSessions(session);
  return hidden === 0 ? [] : [{ at: 'role', note: hiddenText(hidden) }];
}
