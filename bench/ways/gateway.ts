import type { Arena, Copy } from '../arena.js';
import { keylift } from '../keylift.js';
import { load, loadDuring, type Latencies } from '../pgbench.js';
import { apiOf, STORE_APIS, tokenOf } from '../seed.js';

/** What a gateway asked before: the key of this token for this API, alive. */
export const oldLookup = (keys: number): string => `\\set n random(1, ${String(keys)})
SELECT id, account_id FROM public.api_keys WHERE token = ${tokenOf(':n')} AND api_id = ${apiOf(':n')}
  AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now());
`;

const authorize = (keys: number): string => `\\set n random(1, ${String(keys)})
SELECT key_id, account_id, source FROM keylift.authorize(${tokenOf(':n')}, ${apiOf(':n')});
`;

const CLIENTS = 2;
const SECONDS = 8;

export const oldLookups = (copy: Copy): Promise<Latencies> =>
  load({ url: copy.url, script: oldLookup(copy.keys), clients: CLIENTS, seconds: SECONDS });
export const authorizations = (copy: Copy): Promise<Latencies> =>
  load({ url: copy.url, script: authorize(copy.keys), clients: CLIENTS, seconds: SECONDS });

/**
 * The old lookup within a function that has the rights and settings of `authorize` and nothing else to do: what asking
 * a function costs at least. With `rule` a statement before it reads, in the caller's snapshot, what any must that
 * shall widen: whether that API is there and of the store, and how far the switch is. That wants a migrated copy.
 */
export async function wrappedLookups(copy: Copy, { rule = false } = {}): Promise<Latencies> {
  const look = `SELECT a.kind, r.mode INTO asked_of FROM public.apis a JOIN keylift.switch_rule r ON r.singleton
    WHERE a.id = asked_api;
      IF NOT FOUND THEN RETURN; END IF;`;
  await copy.sql(`
    CREATE OR REPLACE FUNCTION public.old_lookup(asked_token text, asked_api bigint) RETURNS TABLE (key_id bigint,
      account_id bigint)
    LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 1 SET search_path = pg_catalog, pg_temp SET enable_seqscan = off
      SET jit = off AS $body$
    #variable_conflict use_column
    DECLARE asked_of record;
    BEGIN
      ${rule ? look : ''}
      SELECT k.id, k.account_id INTO old_lookup.key_id, old_lookup.account_id FROM public.api_keys k
      WHERE k.token = asked_token AND k.api_id = asked_api AND k.revoked_at IS NULL AND (k.expires_at IS NULL
        OR k.expires_at > now())
      ORDER BY k.created_at, k.id LIMIT 1;
      IF FOUND THEN RETURN NEXT; END IF;
    END $body$`);
  const script =
    `\\set n random(1, ${String(copy.keys)})\n` +
    `SELECT key_id, account_id FROM public.old_lookup(${tokenOf(':n')}, ${apiOf(':n')});\n`;
  return load({ url: copy.url, script, clients: CLIENTS, seconds: SECONDS });
}

/** The finished migrations that `authorize` is asked in: before any switch, with mixed cohorts, all switched. */
export async function prepareSwitched(arena: Arena): Promise<{ unswitched: string; mixed: string; switched: string }> {
  const migrated = async (copy: Copy, ...steps: string[][]): Promise<void> => {
    await keylift(['migrate', '--until', 'verify', '--yes'], copy.url);
    for (const step of steps) await keylift([...step, '--yes'], copy.url);
    await copy.sql('VACUUM (ANALYZE)');
    await copy.checkpoint();
  };
  return {
    unswitched: await arena.keep('unswitched', (copy) => migrated(copy)),
    mixed: await arena.keep('mixed', (copy) => migrated(copy, ['switch', '--cohort', '50%'])),
    switched: await arena.keep('switched', (copy) => migrated(copy, ['switch', '--all'])),
  };
}

const LOOKUPS_A_SECOND = 400;

/** The platform's lookups at an even rate. */
const lookups = (copy: Copy, seconds: number): Promise<Latencies> =>
  load({ url: copy.url, script: oldLookup(copy.keys), clients: 4, seconds, rate: LOOKUPS_A_SECOND });

/** The platform's lookups, quiet first, then while `migrate` runs beside them with these flags. Milliseconds. */
export async function lookupsWhileMigrating(
  copy: Copy,
  flags: string[] = [],
): Promise<{ quiet: Latencies; migrating: Latencies }> {
  await lookups(copy, 3); // warms the cache and the connections
  const quiet = await lookups(copy, 10);
  const run = keylift(['migrate', '--until', 'verify', '--yes', ...flags], copy.url);
  // As long as a run of this size takes at least; what follows its end would only flatter the figure.
  const migrating = await lookups(copy, Math.max(2, Math.floor(copy.keys / 300_000)));
  await run;
  return { quiet, migrating };
}

const WINDOW_SECONDS = 1;

/**
 * The platform's lookups, quiet first, then while `migrate` backfills with `--max-latency` at twice the quiet 95th
 * percentile. Latencies in milliseconds, the run in seconds. The later stages read no limit, so they are left out.
 */
export async function lookupsWithinLimit(
  copy: Copy,
): Promise<{ quiet: number; limit: number; migrating: number; seconds: number }> {
  await lookups(copy, 3);
  const { p95: quiet } = await lookups(copy, 10);
  const limit = Math.max(0.1, 2 * quiet);
  await keylift(['migrate', '--until', 'expand', '--yes'], copy.url);
  const run = keylift(['migrate', '--until', 'backfill', '--yes', '--max-latency', `${limit.toFixed(3)}ms`], copy.url);
  const script = oldLookup(copy.keys);
  const load = { url: copy.url, script, clients: 4, seconds: WINDOW_SECONDS, rate: LOOKUPS_A_SECOND };
  const { p95: migrating } = await loadDuring(load, run);
  return { quiet, limit, migrating, seconds: (await run).seconds };
}

/** The same backfill without a limit, in seconds. */
export async function backfillWithLookups(copy: Copy): Promise<{ migrating: number; seconds: number }> {
  await lookups(copy, 3);
  await keylift(['migrate', '--until', 'expand', '--yes'], copy.url);
  const run = keylift(['migrate', '--until', 'backfill', '--yes'], copy.url);
  const script = oldLookup(copy.keys);
  const load = { url: copy.url, script, clients: 4, seconds: WINDOW_SECONDS, rate: LOOKUPS_A_SECOND };
  const { p95: migrating } = await loadDuring(load, run);
  return { migrating, seconds: (await run).seconds };
}

/** A tenth of a second or so of one core, and no table touched. */
const COUNT = 'DO $$ BEGIN FOR n IN 1..3000000 LOOP NULL; END LOOP; END $$;\n';

/**
 * The same lookups beside two sessions that only count: what two busy cores do to them, whatever they are busy with.
 */
export async function lookupsBesideCounting(copy: Copy): Promise<Latencies> {
  await lookups(copy, 3);
  const counting = load({ url: copy.url, script: COUNT, clients: 2, seconds: SECONDS + 2, prepared: false });
  const beside = await lookups(copy, SECONDS);
  await counting;
  return beside;
}

/** A write of each kind on keys of their own: made, renamed, revoked, deleted. */
const writes = (keys: number): string => `\\set n random(1, ${String(keys)})
\\set m random(1, 1000000000)
INSERT INTO public.api_keys (account_id, api_id, name, token, created_at)
  VALUES (:n / 5 + 1, :n % ${String(STORE_APIS)} + 1, 'made', 'w' || :m || '-' || :client_id || '-' || :n, now());
UPDATE public.api_keys SET name = 'renamed ' || :m WHERE id = :n;
UPDATE public.api_keys SET revoked_at = now() WHERE id = :n AND revoked_at IS NULL;
DELETE FROM public.api_keys WHERE id = :n + 1;
`;

/** Legacy writes, each committed by itself at the server's default durability. */
export const legacyWrites = (copy: Copy): Promise<Latencies> =>
  load({ url: copy.url, script: writes(copy.keys), clients: 1, seconds: SECONDS });

/**
 * In place of the mirror, the least that keeps the new table in step: each row copied, changed or deleted by its id, no
 * rule asked but that its API is of the store. Two writers, a repeated token or a change in Settings would get past it.
 */
const LEAST_MIRROR = `
  ALTER TABLE public.api_keys DISABLE TRIGGER USER;
  ALTER TABLE public.account_api_keys DISABLE TRIGGER USER;
  CREATE FUNCTION public.copy_key() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog,
    pg_temp AS $body$
  BEGIN
    IF TG_OP = 'INSERT' THEN
      INSERT INTO public.account_api_keys (id, account_id, name, token, origin_api_id, created_at, last_used_at,
        revoked_at, expires_at)
        SELECT NEW.id, NEW.account_id, NEW.name, NEW.token, NEW.api_id, NEW.created_at, NEW.last_used_at,
          NEW.revoked_at, NEW.expires_at
        FROM public.apis a WHERE a.id = NEW.api_id AND a.kind = 'store';
    ELSIF TG_OP = 'UPDATE' THEN
      UPDATE public.account_api_keys SET account_id = NEW.account_id, name = NEW.name, token = NEW.token,
        origin_api_id = NEW.api_id,
        revoked_at = NEW.revoked_at, expires_at = NEW.expires_at WHERE id = NEW.id;
    ELSE
      DELETE FROM public.account_api_keys WHERE id = OLD.id;
    END IF;
    RETURN NULL;
  END $body$;
  CREATE TRIGGER copy_key AFTER INSERT OR UPDATE OR DELETE ON public.api_keys FOR EACH ROW
    EXECUTE FUNCTION public.copy_key();`;

/** A migrated copy's writes: with the mirror that it has, then with the least one. */
export async function mirroredWrites(copy: Copy): Promise<{ mirrored: Latencies; least: Latencies }> {
  await keylift(['migrate', '--until', 'verify', '--yes'], copy.url);
  await copy.checkpoint();
  const mirrored = await legacyWrites(copy);
  await copy.sql(LEAST_MIRROR);
  await copy.checkpoint();
  return { mirrored, least: await legacyWrites(copy) };
}
