import { existsSync } from 'node:fs';

/**
 * For knex's own command line: `npx knex migrate:list`. To remove keylift, run `keylift uninstall`.
 * DATABASE_URL names the database; KEYLIFT_CONFIG or keylift.config.json the legacy tables.
 */
export default async function knexfile() {
  const compiled = new URL('./dist/migrations/knexfile-source.js', import.meta.url);
  if (!existsSync(compiled)) {
    const missing = new Error('not built');
    // knex prints the stack.
    missing.stack = 'keylift: dist/ is missing\n  Run npm run build first.';
    throw missing;
  }
  const { knexConfiguration } = await import(compiled.href);
  return knexConfiguration(process.env, process.cwd());
}
