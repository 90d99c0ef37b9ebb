import type { Database } from '../database/connect.js';
import { keyliftError, type KeyliftError } from '../errors/keylift-error.js';
import type { MappedSchema } from '../mapping/inspect.js';
import type { Explanation, KeyStory } from './document.js';
import { gatherFacts } from './facts.js';
import { findKeys } from './find.js';
import { lookAround } from './scene.js';
import { tellStory } from './story.js';

/**
 * The story of the key with this id, or of every key with this fingerprint: at any time before, during and after a
 * migration, also for keys whose rows are archived, and for a role that may read the legacy tables alone. Writes nothing.
 *
 * @throws `key_unknown`; `settings_changed`
 */
export async function explainKeys(database: Database, schema: MappedSchema, word: string): Promise<Explanation> {
  const scene = await database.readOnly((session) => lookAround(session, schema));
  const found = await findKeys(database, scene, word);
  const keys = await database.readOnly(
    async (session) => {
      const stories: KeyStory[] = [];
      for (const id of found.ids) {
        const story = tellStory(await gatherFacts(session, scene, id), scene);
        if (story !== undefined) stories.push(story);
      }
      return stories;
    },
    { isolation: 'repeatable read' },
  );
  if (keys.length === 0) throw unknown(schema);
  return { keys, more: found.more };
}

/** The word is not repeated: somebody may have pasted a token. */
function unknown({ settings, types }: MappedSchema): KeyliftError {
  const narrowed =
    settings.legacy.keys.where === null ? '' : ' Rows that legacy.keys.where leaves out are no per-API keys.';
  return keyliftError('key_unknown', {
    message: 'no key has this id or fingerprint',
    hint: `Give an id (${types.id}), or the 12 hex digits that keylift shows, never a token.${narrowed}`,
  });
}
