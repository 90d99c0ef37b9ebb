import { readFileSync } from 'node:fs';
import path from 'node:path';
import { Ajv } from 'ajv';
import { expect } from 'chai';
import { DEFAULT_SETTINGS } from '../../src/config/defaults.js';
import { packageRoot } from '../../src/config/package-root.js';
import { openDatabase } from '../../src/database/connect.js';
import type { Explanation, KeyExplanation } from '../../src/explain/document.js';
import { explainKeys } from '../../src/explain/explain.js';
import { inspectLegacy } from '../../src/mapping/inspect.js';
import type { Scenario } from '../support/scenario.js';

const schema = JSON.parse(readFileSync(path.join(packageRoot(), 'schemas', 'explain.schema.json'), 'utf8')) as object;
const validate = new Ajv({ strict: true, allErrors: true }).compile(schema);

/** The answer to `explain --json`, held against its schema. */
export async function explain(scenario: Scenario, word: string, options: { url?: string } = {}): Promise<Explanation> {
  const ended = await scenario.run(['explain', word, '--json'], options);
  expect(ended.exitCode, ended.stderr).to.equal(0);
  const answer = ended.json<Explanation>();
  expect(validate(answer), JSON.stringify(validate.errors)).to.equal(true);
  return answer;
}

/** Stories of many keys, asked without a command and a connection for each; held against the schema all the same. */
export async function withExplanations<T>(
  scenario: Scenario,
  work: (explainKey: (id: string) => Promise<KeyExplanation>) => Promise<T>,
): Promise<T> {
  const database = await openDatabase(scenario.db.url);
  try {
    const mapped = await database.readOnly((session) => inspectLegacy(session, DEFAULT_SETTINGS));
    return await work(async (id) => {
      const answer = await explainKeys(database, mapped, id);
      expect(validate(answer), JSON.stringify(validate.errors)).to.equal(true);
      expect(answer.keys.map((key) => key.key_id)).to.deep.equal([id]);
      return answer.keys[0]!;
    });
  } finally {
    await database.close();
  }
}

/** The one story behind an id. */
export async function explainKey(
  scenario: Scenario,
  id: string | number,
  options: { url?: string } = {},
): Promise<KeyExplanation> {
  const { keys } = await explain(scenario, String(id), options);
  expect(keys.map((key) => key.key_id)).to.deep.equal([String(id)]);
  return keys[0]!;
}
