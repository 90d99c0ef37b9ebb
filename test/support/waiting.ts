import { setTimeout as pause } from 'node:timers/promises';
import type pg from 'pg';
import type { TestDatabase } from './database.js';

/** Asks until the answer is yes; fails with what it waited for once the deadline has passed. */
export async function until(what: string, condition: () => Promise<boolean> | boolean, seconds = 30): Promise<void> {
  const deadline = performance.now() + seconds * 1000;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`still waiting after ${String(seconds)} s: ${what}`);
    await pause(10);
  }
}

/** A gate on the new table: the row with this id cannot be inserted before it is opened. */
export interface Gate {
  /** Lets everybody through. Takes no lock, so that it can be opened while a transaction of the test's own is open. */
  open(): Promise<void>;
  /** Opens it and takes its trigger away, which waits for every transaction that wrote to the new table. */
  remove(): Promise<void>;
}

const GATE = 4_711;

/**
 * Stops whoever inserts the account key with this id, and with it the batch it is in. Needs expand. A batch gives way
 * after half a second and tries again, unless it is to be kept waiting.
 */
export async function gateAt(db: TestDatabase, id: number, { kept = false } = {}): Promise<Gate> {
  const holder: pg.Client = await db.connect();
  await holder.query('select pg_advisory_lock($1)', [GATE]);
  await db.query(`
    create function public.test_gate() returns trigger language plpgsql as $$
    begin ${kept ? `perform set_config('lock_timeout', '0', true);` : ''} perform
      pg_advisory_xact_lock(${String(GATE)}); return new; end $$;
    create trigger aa_test_gate before insert on public.account_api_keys for each row when (new.id = ${String(id)})
      execute function public.test_gate()`);
  return {
    open: async () => {
      await holder.query('select pg_advisory_unlock_all()');
    },
    remove: async () => {
      await holder.query('select pg_advisory_unlock_all()');
      await db.query('drop function if exists public.test_gate() cascade');
    },
  };
}

/** Sessions of keylift that wait for a lock. */
export async function waitingSessions(db: TestDatabase): Promise<number> {
  const [row] = await db.query<{ n: string }>(`
    select count(*) as n from pg_stat_activity
    where datname = current_database() and application_name like 'keylift%' and wait_event_type = 'Lock'`);
  return Number(row!.n);
}
