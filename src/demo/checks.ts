import type { Plan } from '../plan/plan.js';
import type { Finding } from '../surroundings/finding.js';
import type { Proof } from '../proof/document.js';
import type { Access, ListedKey } from './reading.js';

/** One statement about the demo, checked against what the database answered. */
export interface Check {
  check: string;
  ok: boolean;
}

/** Everything that the demo read from the database, by chapter. */
export interface Answers {
  before: { pages: Record<string, ListedKey[]>; access: Access[] };
  plan: Plan & { surroundings: Finding[] };
  /** Rows of the legacy table, counted apart from the plan. */
  rows: number;
  after: { settings: ListedKey[]; access: Access[] };
  proof: Proof;
  /** With an API that joined the store after the move. */
  grown: { api: string; access: Access[] };
  rolledBack: { pages: Record<string, ListedKey[]>; access: Access[] };
}

/** The keys of the demo's data that the checks are about. */
export interface Cast {
  storeKeys: readonly string[];
  deadKey: string;
  customKey: string;
  customApi: string;
}

const isOpen = (pair: Access): boolean => pair.answered_by !== null;
const of = (access: readonly Access[], id: string): Access[] => access.filter((pair) => pair.key_id === id);
const openApis = (access: readonly Access[]): string[] => access.filter(isOpen).map(({ api }) => api);

/** Checks the answers. Reads nothing else. */
export function checkAnswers(answers: Answers, cast: Cast): Check[] {
  const { before, plan, rows, after, proof, grown, rolledBack } = answers;
  const storeApis = (access: readonly Access[]): string[] => [
    ...new Set(access.filter((pair) => pair.in_store).map(({ api }) => api)),
  ];
  const opensTheStore = (access: readonly Access[]): boolean =>
    cast.storeKeys.every((id) => equal(openApis(of(access, id)), storeApis(access)));
  const outcomes = Object.values(plan.outcomes).reduce((sum, count) => sum + count, 0);
  return [
    { check: 'every per-API key has exactly one outcome', ok: outcomes === rows && plan.total === rows },
    {
      check: 'both keys are in Settings, with their name and creation time',
      ok: arrived(before.pages, after.settings),
    },
    { check: 'each of them opens every API of the store', ok: opensTheStore(after.access) },
    {
      check: 'every API that a key opened before is still open to it',
      ok: before.access.filter(isOpen).every((pair) => sameAccount(pair, after.access)),
    },
    {
      check: "no custom API was opened, the account's own included",
      ok: equal(custom(before.access), custom(after.access)),
    },
    {
      check: "the custom API's key opens that API and nothing else",
      ok: equal(openApis(of(after.access, cast.customKey)), [cast.customApi]),
    },
    {
      check: 'the revoked key opens nothing',
      ok: [after, grown, rolledBack].every(({ access }) => openApis(of(access, cast.deadKey)).length === 0),
    },
    { check: 'the proof found no difference', ok: proof.ok },
    {
      check: 'an API that joined later was open to both keys at once',
      ok: opensTheStore(grown.access) && storeApis(grown.access).includes(grown.api),
    },
    {
      check: 'after the rollback every key opens what it opened before',
      ok: equal(
        before.access,
        rolledBack.access.filter(({ api }) => api !== grown.api),
      ),
    },
    {
      check: 'after the rollback the old pages are back, with last use kept',
      ok: pagesAreBack(before.pages, rolledBack.pages),
    },
  ];
}

/** Every key of the pages is in Settings, and equal in all that a page shows. */
const arrived = (pages: Record<string, ListedKey[]>, settings: readonly ListedKey[]): boolean =>
  Object.values(pages)
    .flat()
    .every((key) => settings.some((found) => equal(found, key)));

const sameAccount = (pair: Access, after: readonly Access[]): boolean =>
  after.some(
    (now) =>
      now.key_id === pair.key_id &&
      now.api === pair.api &&
      now.answered_by?.account_id === pair.answered_by?.account_id,
  );

const custom = (access: readonly Access[]): unknown[] =>
  access.filter((pair) => !pair.in_store).map(({ key_id: id, api, answered_by: by }) => [id, api, by]);

/** Last use may only have grown: the account keys were used in between. */
function pagesAreBack(before: Record<string, ListedKey[]>, now: Record<string, ListedKey[]>): boolean {
  const timeless = (pages: Record<string, ListedKey[]>): unknown =>
    Object.values(pages)
      .flat()
      .map((key) => ({ ...key, last_used_at: null }));
  const uses = (pages: Record<string, ListedKey[]>): string[] =>
    Object.values(pages)
      .flat()
      .map((key) => key.last_used_at ?? '');
  return (
    equal(timeless(before), timeless(now)) &&
    uses(now).every((use, index) => use >= uses(before)[index]!) &&
    uses(now).some((use, index) => use > uses(before)[index]!)
  );
}

const equal = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);
