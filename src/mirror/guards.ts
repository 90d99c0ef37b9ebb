import { installedFunction, type InstalledFunction } from '../database/plpgsql.js';
import { literal, sql, type Statement } from '../database/sql.js';
import { drawsIds } from '../mapping/account-keys.js';
import type { MappedSchema } from '../mapping/inspect.js';
import { IS_OWN_WRITE } from './own-writes.js';

/** Functions that keep the platform from what is keylift's in the new table. */
export const guardFunctions = (schema: MappedSchema): InstalledFunction[] => [
  guardInsert(),
  guardUpdate(schema),
  guardNativeId(schema),
];

const REFUSED = `USING ERRCODE = 'object_not_in_prerequisite_state'`;

/** For a row before the mirror is on, where a transition table would slow each batch; for a statement from then on. */
const guardInsert = (): InstalledFunction =>
  installedFunction({
    name: 'guard_insert',
    returns: 'trigger',
    searchPath: 'pg_catalog, pg_temp',
    comment: sql`
      Runs when rows enter account_api_keys. Refuses rows with an origin_api_id, unless keylift writes them: only a key
      that moved has an origin.`,
    body: sql`
      BEGIN
        IF ${IS_OWN_WRITE} THEN RETURN NEW; END IF;
        IF TG_LEVEL = 'STATEMENT' THEN
          IF NOT EXISTS (SELECT FROM new_rows n WHERE n.origin_api_id IS NOT NULL) THEN RETURN NULL; END IF;
        END IF;
        RAISE EXCEPTION 'only keylift inserts account keys with an origin_api_id'
          ${REFUSED},
            HINT = 'Insert account_id, name and token.';
      END`,
  });

function guardUpdate({ legacy: l, searchPath }: MappedSchema): InstalledFunction {
  const exists = (account: string): string =>
    `EXISTS (SELECT FROM ${l.accounts} o WHERE ${l.accountId()} = ${account})`;
  return installedFunction({
    name: 'guard_update',
    returns: 'trigger',
    searchPath,
    comment: sql`
      Runs after an UPDATE of id, scope, origin_api_id, or the account of a moved key. Refuses it, unless keylift writes
      it. An account that changes its id takes its keys along by the foreign key: the old account is gone then.`,
    body: sql`
      BEGIN
        IF ${IS_OWN_WRITE} THEN RETURN NULL; END IF;
        IF record_image_eq(
          ROW(NEW.id, NEW.scope, NEW.origin_api_id),
          ROW(OLD.id, OLD.scope, OLD.origin_api_id)
        ) THEN
          IF NOT ${exists('OLD.account_id')}
            AND ${exists('NEW.account_id')}
          THEN RETURN NULL; END IF;
        END IF;
        RAISE EXCEPTION 'id, scope, origin_api_id and the account of a moved key are keylift''s'
          ${REFUSED},
            HINT = 'Settings may change name, token, last use, revocation and expiry.';
      END`,
  });
}

/** Where keylift draws the ids of native keys, it takes no other; else only one that no per-API key has. */
function guardNativeId({ legacy: l, types, searchPath }: MappedSchema): InstalledFunction {
  const drawn = sql`
    RAISE EXCEPTION 'the id of a native key is drawn when it is inserted'
      ${REFUSED},
        HINT = 'Insert account_id, name and token.';`;
  const given = sql`
    IF EXISTS (SELECT FROM ${l.keys} k WHERE ${l.id()} = NEW.id) THEN
      RAISE EXCEPTION 'this id belongs to a per-API key' USING ERRCODE = 'unique_violation';
    END IF;`;
  return installedFunction({
    name: 'guard_native_id',
    returns: 'trigger',
    searchPath,
    comment: sql`
      Runs before a native key is inserted with an id or a scope. Ids of the two tables never collide, and the scope of
      every account key is the same.`,
    body: sql`
      BEGIN
        IF NEW.scope <> 'store_apis' THEN
          RAISE EXCEPTION 'the scope of an account key is store_apis' USING ERRCODE = 'check_violation';
        END IF;
        ${drawsIds(types) ? drawn : given}
        RETURN NEW;
      END`,
  });
}

/** From expand on. */
export const guardTriggers = ({ legacy: l }: MappedSchema): Statement => ({
  title: `triggers of ${l.target} that guard what is keylift's`,
  text: sql`
    CREATE TRIGGER keylift_guard_update AFTER UPDATE ON ${l.target}
      FOR EACH ROW WHEN (
        record_image_ne(
          ROW(NEW.id, NEW.scope, NEW.origin_api_id),
          ROW(OLD.id, OLD.scope, OLD.origin_api_id))
        OR OLD.origin_api_id IS NOT NULL AND record_image_ne(ROW(NEW.account_id), ROW(OLD.account_id)))
      EXECUTE FUNCTION keylift.guard_update();
    -- Its name comes before that of the trigger that draws ids: PostgreSQL fires them in this order.
    CREATE TRIGGER keylift_check_id BEFORE INSERT ON ${l.target}
      FOR EACH ROW WHEN (NEW.origin_api_id IS NULL AND (NEW.id IS NOT NULL OR NEW.scope <> 'store_apis'))
      EXECUTE FUNCTION keylift.guard_native_id();`,
});

/** From expand until the mirror is on: a batch inserts as the role that installed it and pays one comparison a row. */
export const guardRowsInserted = ({ legacy: l }: MappedSchema): Statement => ({
  title: `trigger of ${l.target} that refuses an origin, before the mirror is on`,
  text: sql`
    DO $do$
    BEGIN
      EXECUTE format(
        $trigger$
          CREATE TRIGGER keylift_guard_insert BEFORE INSERT ON %s
            FOR EACH ROW WHEN (NEW.origin_api_id IS NOT NULL AND current_user <> %L)
            EXECUTE FUNCTION keylift.guard_insert()
        $trigger$,
        ${literal(l.target)}, current_user);
    END
    $do$;`,
});

/** From the mirror on, for every role. */
export const guardStatementsInserted = ({ legacy: l }: MappedSchema): Statement => ({
  title: `trigger of ${l.target} that refuses an origin`,
  text: sql`
    DROP TRIGGER IF EXISTS keylift_guard_insert ON ${l.target};
    CREATE TRIGGER keylift_guard_insert AFTER INSERT ON ${l.target}
      REFERENCING NEW TABLE AS new_rows
      FOR EACH STATEMENT
      EXECUTE FUNCTION keylift.guard_insert();`,
});

export const dropGuardOfInserts = ({ legacy: l }: MappedSchema): Statement => ({
  title: `drop the trigger of ${l.target} that refuses an origin`,
  text: `DROP TRIGGER IF EXISTS keylift_guard_insert ON ${l.target};`,
});

export const dropGuardTriggers = ({ legacy: l }: MappedSchema): Statement => ({
  title: `drop the guards of ${l.target}`,
  text: sql`
    DROP TRIGGER IF EXISTS keylift_guard_insert ON ${l.target};
    DROP TRIGGER IF EXISTS keylift_guard_update ON ${l.target};
    DROP TRIGGER IF EXISTS keylift_check_id ON ${l.target};`,
});
