import { quoteIdentifier } from '../config/identifiers.js';
import type { Expression } from '../config/settings.js';
import { aliveExpression } from '../mapping/fragments.js';
import { isSwitched } from './cohort.js';
import type { MappedSchema } from '../mapping/inspect.js';

const aliveTarget = (l: MappedSchema['legacy']): string => aliveExpression('t.revoked_at', 't.expires_at', l.now);

/** Does the account key answer for this legacy row, once its account is switched? */
const hasAccountKey = (context: MappedSchema): string => `
          (EXISTS (SELECT FROM ${context.legacy.target} m WHERE m.id = ${context.legacy.id()} AND m.origin_api_id IS NOT NULL)
            OR EXISTS (SELECT FROM keylift.outcomes m WHERE m.key_id = ${context.legacy.id()} AND m.outcome = 'merge'))`;

/** The old rule: a living per-API key with this token and this API; of several the earliest, then the lowest id. */
const perApiLookup = ({ legacy: l }: MappedSchema, further = ''): string => `
        SELECT ${l.id()}, ${l.account()}, 'per_api' INTO authorize.key_id, authorize.account_id, authorize.source
        FROM ${l.from}
        WHERE ${l.token()} = asked.sent AND ${l.api()} = asked.api AND ${l.alive()} AND ${l.isPerApiKey()} ${further}
        ORDER BY ${l.createdAt()}, ${l.id()} LIMIT 1;`;

/** A living account key with this token, which is the only one there is. */
const accountLookup = ({ legacy: l }: MappedSchema, further = ''): string => `
        SELECT t.id, t.account_id, 'account' INTO authorize.key_id, authorize.account_id, authorize.source
        FROM ${l.target} t
        WHERE t.token = asked.sent AND ${aliveTarget(l)} ${further};`;

/**
 * Rows a living account key stands for that opened this API before: its own, and those merged into it, which live as
 * long. They are read as the ledger remembers them: finalize takes them out of their table, and purge out of the archive.
 */
function rowsBefore({ account, api }: { account: string; api: string }): string {
  return `
              SELECT ${account}.created_at AS created_at, ${account}.id AS id WHERE ${account}.origin_api_id = ${api}
              UNION ALL
              SELECT x.opened_since, x.key_id FROM keylift.outcomes x
              WHERE x.outcome = 'merge' AND x.account_key_id = ${account}.id AND x.opened_api_id = ${api}`;
}

const head = ({ types, searchPath }: MappedSchema): string => `
    CREATE OR REPLACE FUNCTION keylift.authorize(token ${types.token}, api_id ${types.apiId})
    RETURNS TABLE (key_id ${types.id}, account_id ${types.account}, source text)
    LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 1
    -- A session that planned its lookups while the tables were small must not go on reading them whole. Where there is no
    -- other way a plan gets a huge cost with that, which before 18 is taken for a reason to compile it at every call.
    SET search_path = ${searchPath} SET enable_seqscan = off SET jit = off AS $body$
    #variable_conflict use_column
    <<asked>>
    DECLARE
      -- Named with their block, or a column of the operator's that is called the same would be taken for them.
      -- Parameters take the collation of their arguments, and tokens and API ids need not have the same.
      sent CONSTANT ${types.token}${types.neutral.token} := authorize.token;
      api CONSTANT ${types.apiId}${types.neutral.apiId} := authorize.api_id;
      in_store boolean;
      rule record;
      per_api record;
      per_account record;`;

/** Before the indexes of harden stand: per-API keys, and keys born in Settings from their own small index. */
export function authorizeByPerApiKeys(context: MappedSchema): string {
  const { legacy: l } = context;
  return `${head(context)}
    BEGIN
      SELECT ${l.inStore()} INTO in_store FROM ${l.apis} a WHERE ${l.apiId()} = asked.api;
      IF NOT FOUND THEN RETURN; END IF;
      ${perApiLookup(context)}
      IF FOUND THEN RETURN NEXT; RETURN; END IF;
      IF in_store THEN ${accountLookup(context, 'AND t.origin_api_id IS NULL')}
        IF FOUND THEN RETURN NEXT; END IF;
      END IF;
    END $body$;`;
}

/**
 * With switching. A custom API, a held key and an exception are always answered by the per-API key; a store API by
 * the account key once its account is switched. The order of the probes follows how far the switch is, so that the
 * common answer takes one probe of one token index.
 */
export function authorizeWithSwitch(context: MappedSchema): string {
  const { legacy: l } = context;
  const leftBehind = `AND NOT (${hasAccountKey(context)} AND ${isSwitched(l.account(), 'rule.cohorts')})`;
  const ofSwitched = `t.origin_api_id IS NULL OR ${isSwitched('t.account_id', 'rule.cohorts')}`;
  return `${head(context)}
    BEGIN
      SELECT ${l.inStore()} AS in_store, r.mode, r.cohorts, r.mode <> 'none' AND EXISTS (SELECT FROM keylift.overlaps) AS overlapping INTO rule
        FROM ${l.apis} a JOIN keylift.switch_rule r ON r.singleton WHERE ${l.apiId()} = asked.api;
      IF NOT FOUND THEN RETURN; END IF;
      IF NOT rule.in_store THEN ${perApiLookup(context)}
        IF FOUND THEN RETURN NEXT; END IF;
        RETURN;
      END IF;
      IF rule.mode = 'none' THEN ${perApiLookup(context)}
        IF FOUND THEN RETURN NEXT; RETURN; END IF;
        ${accountLookup(context, 'AND t.origin_api_id IS NULL')}
        IF FOUND THEN RETURN NEXT; END IF;
        RETURN;
      END IF;
      IF NOT rule.overlapping THEN
        -- Nothing left behind shares its token with an account key: what holds this one answers by itself.
        IF rule.mode = 'all' THEN ${accountLookup(context)}
          IF FOUND THEN RETURN NEXT; RETURN; END IF;
        ELSE
          SELECT t.id, t.account_id, ${ofSwitched} AS switched INTO per_account
          FROM ${l.target} t WHERE t.token = asked.sent AND ${aliveTarget(l)};
          IF per_account.switched THEN
            key_id := per_account.id; account_id := per_account.account_id; source := 'account'; RETURN NEXT; RETURN;
          ELSIF FOUND THEN ${perApiLookup(context)}
            IF FOUND THEN RETURN NEXT; END IF;
            RETURN;
          END IF;
        END IF;
        ${perApiLookup(context, leftBehind)}
        IF FOUND THEN RETURN NEXT; END IF;
        RETURN;
      END IF;
      SELECT ${l.id()} AS id, ${l.account()} AS account_id, ${l.createdAt()} AS created_at INTO per_api
        FROM ${l.from}
        WHERE ${l.token()} = asked.sent AND ${l.api()} = asked.api AND ${l.alive()} AND ${l.isPerApiKey()} ${leftBehind}
        ORDER BY ${l.createdAt()}, ${l.id()} LIMIT 1;
      SELECT t.id, t.account_id, t.origin_api_id, t.created_at INTO per_account FROM ${l.target} t
        WHERE t.token = asked.sent AND ${aliveTarget(l)} AND (${ofSwitched});
      -- Where both hold the token for this API, the earliest answers, as before.
      IF per_api.id IS NOT NULL AND NOT (per_account.id IS NOT NULL AND EXISTS (
          SELECT FROM (${rowsBefore({ account: 'per_account', api: 'asked.api' })}) had
          WHERE per_api.created_at IS NULL OR (had.created_at, had.id) < (per_api.created_at, per_api.id))) THEN
        key_id := per_api.id; account_id := per_api.account_id; source := 'per_api'; RETURN NEXT;
      ELSIF per_account.id IS NOT NULL THEN
        key_id := per_account.id; account_id := per_account.account_id; source := 'account'; RETURN NEXT;
      END IF;
    END $body$;`;
}

interface ViewColumn {
  name: string;
  perApi: string;
  perAccount: string;
}

function viewColumns({ legacy: l, settings, types }: MappedSchema): ViewColumn[] {
  const keys = settings.legacy.keys;
  const named = (value: Expression | null, otherwise: string): string =>
    quoteIdentifier(typeof value === 'string' ? value : otherwise);
  const apiId = types.api === types.apiId ? l.apiId() : `${l.apiId()}::${types.api}`;
  const columns = [
    { name: quoteIdentifier(keys.id), perApi: l.id(), perAccount: 't.id' },
    { name: named(keys.account, 'account_id'), perApi: l.account(), perAccount: 't.account_id' },
    { name: named(keys.api, 'api_id'), perApi: l.api(), perAccount: apiId },
    ...(keys.name === null ? [] : [{ name: named(keys.name, 'name'), perApi: l.name(), perAccount: 't.name' }]),
    { name: named(keys.token, 'token'), perApi: l.token(), perAccount: 't.token' },
    { name: named(keys.createdAt, 'created_at'), perApi: l.createdAt(), perAccount: 't.created_at' },
    ...(keys.lastUsedAt === null
      ? []
      : [{ name: named(keys.lastUsedAt, 'last_used_at'), perApi: l.lastUsedAt(), perAccount: 't.last_used_at' }]),
    ...(keys.revokedAt === null
      ? []
      : [{ name: named(keys.revokedAt, 'revoked_at'), perApi: l.revokedAt(), perAccount: 't.revoked_at' }]),
    ...(keys.expiresAt === null
      ? []
      : [{ name: named(keys.expiresAt, 'expires_at'), perApi: l.expiresAt(), perAccount: 't.expires_at' }]),
    ...l.carry.map((name) => ({ name, perApi: `k.${name}`, perAccount: `t.${name}` })),
  ];
  // One legacy column may stand for two values.
  return columns.filter(({ name }, at) => columns.findIndex((other) => other.name === name) === at);
}

/**
 * The view an old gateway asks unchanged. Its conditions are spelled out instead of calling a function, since
 * a view's functions run with the reader's rights and its tables with the owner's.
 */
export function perApiKeysView(context: MappedSchema, options: { withSwitch: boolean }): string {
  const { legacy: l } = context;
  const columns = viewColumns(context);
  const cohorts = '(SELECT r.cohorts FROM keylift.switch_rule r)';
  const perApi = options.withSwitch
    ? `AND NOT (${l.inStore()} AND ${hasAccountKey(context)} AND ${isSwitched(l.account(), cohorts)})`
    : '';
  const perAccount = options.withSwitch
    ? `(t.origin_api_id IS NULL OR ${isSwitched('t.account_id', cohorts)})`
    : 't.origin_api_id IS NULL';
  return `
    CREATE OR REPLACE VIEW keylift.per_api_keys AS
      SELECT ${columns.map((c) => `${c.perApi} AS ${c.name}`).join(', ')}
      FROM ${l.from} WHERE ${l.isPerApiKey()} ${perApi}
      UNION ALL
      SELECT ${columns.map((c) => `${c.perAccount} AS ${c.name}`).join(', ')}
      FROM ${l.target} t CROSS JOIN ${l.apis} a WHERE ${l.inStore()} AND ${perAccount}
        -- A held key or an exception answers for its API itself, unless a row of the account key was there earlier.
        AND NOT EXISTS (
          SELECT FROM ${l.keys} k WHERE ${l.token()} = t.token AND ${l.api()} = ${l.apiId()} AND ${l.alive()} AND ${l.isPerApiKey()}
            ${options.withSwitch ? `AND NOT (${hasAccountKey(context)} AND ${isSwitched(l.account(), cohorts)})` : ''}
            AND NOT EXISTS (SELECT FROM (${rowsBefore({ account: 't', api: l.apiId() })}) had
              WHERE ${l.createdAt()} IS NULL OR (had.created_at, had.id) < (${l.createdAt()}, ${l.id()})))`;
}
