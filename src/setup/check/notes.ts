import { hiddenSessions, hiddenText } from '../../database/hidden-sessions.js';
import { sql } from '../../database/sql.js';
import type { ReadSession } from '../../database/session.js';
import type { MappedSchema } from '../../mapping/inspect.js';
import { opensForAny } from '../../mapping/store.js';
import { carriedUniques } from '../../mapping/uniques.js';
import type { Note } from './note.js';
import { notesOnRevocations } from './revocation-notes.js';

/** Consequences of a valid mapping that may surprise the operator. */
export async function notesOn(session: ReadSession, schema: MappedSchema): Promise<Note[]> {
  return [
    ...(await aboutStore(session, schema)),
    ...(await aboutZone(session, schema)),
    ...(await notesOnRevocations(session, schema)),
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
    `SELECT count(*) AS total, count(*) FILTER (WHERE ${opensForAny(l)}) AS store FROM ${l.apis} a`,
  );
  const say = (note: string): Note[] => [{ at: 'legacy.apis.inStore', note }];
  if (total !== '0' && store === '0') return say(`none of the ${total} APIs is in the store: every key would stay`);
  return total !== '0' && store === total && !l.apiNeedsAccount
    ? say(`all ${total} APIs are in the store: there is no custom API`)
    : [];
}

async function aboutZone(session: ReadSession, { legacy: l, settings }: MappedSchema): Promise<Note[]> {
  const { expiresAt, timeZone } = settings.legacy.keys;
  if (expiresAt === null || timeZone !== undefined) return [];
  const { type, zone } = await session.one<{ type: string; zone: string }>(
    sql`
      SELECT pg_typeof((SELECT ${l.expiresAt()} FROM ${l.keys} k WHERE false))::text AS type,
        current_setting('TimeZone') AS zone`,
  );
  if (type !== 'timestamp without time zone' && type !== 'date') return [];
  return [
    {
      at: 'legacy.keys.expiresAt',
      note:
        `is ${type}: it is compared in the time zone of the session (here ${zone}). If the platform always uses one ` +
        'zone, name it: "timeZone": "UTC"',
    },
  ];
}

/** A value that the mirror cannot write back must not be changed in Settings. */
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
    .map(([value, done]) => {
      const why = keys[value as 'name'] === null ? 'there is no such column' : 'it is computed';
      return {
        at: `legacy.keys.${value}`,
        note:
          `${why}, so an account key cannot be ${done} in Settings before finalize: keylift could not write the ` +
          'change back to the per-API key. The account key can be deleted',
      };
    });
}

/** The mirror writes a change in Settings back by column, and a column mapped twice takes one of two values. */
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
            note:
              `${JSON.stringify(column)} is already mapped as ${first[0]}: after a change in Settings the legacy ` +
              `table has the value of ${first[0]}`,
          },
        ];
  });
}

function aboutIds({ types }: MappedSchema): Note[] {
  const say = (note: string): Note[] => [{ at: 'legacy.keys.id', note }];
  if (types.idMayRepeat)
    return say(
      'the unique index covers one partition only; across partitions the mirror refuses a repeated id, and nothing ' +
        'else does',
    );
  if (types.idIsInteger && types.idSequence === null)
    return say(
      'no sequence makes these ids: native keys take theirs from keylift.key_ids, and the platform must not create a ' +
        'per-API key with one of these',
    );
  if (!types.idIsInteger && types.idDefault === null)
    return say('keylift cannot make an id that fits this column: the platform must give native keys their ids');
  return [];
}

const aboutPartitions = ({ partitions }: MappedSchema): Note[] =>
  partitions.length === 0
    ? []
    : [
        {
          at: 'legacy.keys.table',
          note:
            `${String(partitions.length)} partitions: the mirror follows statements that name the table or a ` +
            'partition that exists now. The platform must write to later partitions through the table',
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
            note:
              'reads other tables, whose changes the mirror does not see: verify finds them, and the next keylift ' +
              'migrate applies them',
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
            note: 'no index starts with it: migrate builds one concurrently, and a rollback removes it',
          },
        ]),
    ...left.map((index) => ({
      at: 'legacy.keys.carry',
      note: `the new table does not have the unique index ${index}: not all of its columns are carried unchanged`,
    })),
  ];
}

async function aboutRole(session: ReadSession): Promise<Note[]> {
  const hidden = await hiddenSessions(session);
  return hidden === 0 ? [] : [{ at: 'role', note: hiddenText(hidden) }];
}
