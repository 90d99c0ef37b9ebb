import { sql, type Statement } from '../database/sql.js';

/** One row: the lease of the run that leads, and what `pause`, `resume` and `tune` set. */
export const controlTable: Statement = {
  title: 'table keylift.control',
  text: sql`
    CREATE TABLE keylift.control (
      singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
      owner uuid,
      fence bigint NOT NULL DEFAULT 0,
      owned_until timestamptz,
      paused boolean NOT NULL DEFAULT false,
      concurrency integer,
      batch_time double precision,
      batch_size integer,
      max_lag double precision,
      max_active double precision,
      throttle_query text,
      throttle_url text,
      max_latency double precision
    );
    INSERT INTO keylift.control DEFAULT VALUES;`,
};
