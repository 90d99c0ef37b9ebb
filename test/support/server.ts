import { startEmbeddedServer } from '../../src/embedded/server.js';
import type { EmbeddedServer } from '../../src/embedded/server.js';

/**
 * Names the server for the tests: set by a developer to use one of theirs, else by the setup below. Workers inherit it.
 */
export const TEST_SERVER_VARIABLE = 'KEYLIFT_TEST_DATABASE_URL';

/** Names the major version of the embedded server to test on: 14 to 18. Without it, the one that is shipped. */
const MAJOR_VARIABLE = 'KEYLIFT_TEST_PG';

/** Nothing in it outlives the tests, so it need not survive a crash of the machine. */
const SETTINGS = {
  fsync: 'off',
  synchronous_commit: 'off',
  full_page_writes: 'off',
  max_connections: '200',
  shared_buffers: '128MB',
  autovacuum: 'on',
};

let server: EmbeddedServer | undefined;

/** Mocha calls it once, in the main process, before any test: one server for the whole suite. */
export async function mochaGlobalSetup(): Promise<void> {
  if (process.env[TEST_SERVER_VARIABLE]) return;
  const major = process.env[MAJOR_VARIABLE];
  server = await startEmbeddedServer({ settings: SETTINGS, ...(major ? { majorVersion: Number(major) } : {}) });
  process.env[TEST_SERVER_VARIABLE] = server.url();
}

/** Mocha calls it once, after the last test. */
export async function mochaGlobalTeardown(): Promise<void> {
  if (server === undefined) return;
  Reflect.deleteProperty(process.env, TEST_SERVER_VARIABLE);
  await server.stop();
  server = undefined;
}
