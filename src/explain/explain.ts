import type { Database } from '../database/connect.js';
import { keyliftError, type KeyliftError } from '../errors/keylift-error.js';
import type { MappedSchema } from '../mapping/inspect.js';
import type { Explanation, KeyExplanation } from './document.js';
import { explanationOf } from './explanation.js';
import { readFacts } from './facts.js';
import { findKeys } from './find.js';
import { findSources } from './sources.js';

/**
 * Explains the key with this id, or every key with this fingerprint. Works before, during and after a migration, for
 * keys whose rows are archived, and for a role that may read the legacy tables only. Writes nothing.
 *
 * @throws `key_unknown`; `settings_changed`
 */
export async function explainKeys(
  database: Database,
  schema: MappedSchema,
  idOrFingerprint: string,
): Promise<Explanation> {
  const sources = await database.readOnly((session) => findSources(session, schema));
  const found = await findKeys(database, sources, idOrFingerprint);
  const keys = await database.readOnly(
    async (session) => {
      const explanations: KeyExplanation[] = [];
      for (const id of found.ids) {
        const explanation = explanationOf(await readFacts(session, sources, id), sources);
        if (explanation !== undefined) explanations.push(explanation);
      }
      return explanations;
    },
    { isolation: 'repeatable read' },
  );
  if (keys.length === 0) throw unknown(schema);
  return { keys, more: found.more };
}

/** The message does not repeat the argument: it may be a token. */
function unknown({ settings, types }: MappedSchema): KeyliftError {
  const narrowed =
    settings.legacy.keys.where === null ? '' : ' Rows that legacy.keys.where excludes are not per-API keys.';
  return keyliftError('key_unknown', {
    message: 'no key has this id or fingerprint',
    hint: `Give an id (${types.id}), or the 12 hex digits that keylift shows, never a token.${narrowed}`,
  });
}
