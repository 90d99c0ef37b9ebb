import type { Plan } from '../plan/plan.js';
import type { Proof } from '../proof/document.js';
import type { Door, ListedKey } from './questions.js';

/** One claim of the story, judged by what the database answered. */
export interface Check {
  check: string;
  ok: boolean;
}

/** Everything the story asked the database, by chapter. */
export interface Answers {
  before: { pages: Record<string, ListedKey[]>; doors: Door[] };
  plan: Plan;
  /** Rows of the legacy table, counted apart from the plan. */
  rows: number;
  after: { settings: ListedKey[]; doors: Door[] };
  proof: Proof;
  /** With an API that joined the store after the move. */
  grown: { api: string; doors: Door[] };
  rolledBack: { pages: Record<string, ListedKey[]>; doors: Door[] };
}

/** Which keys of the demo's data play which part. */
export interface Cast {
  storeKeys: readonly string[];
  deadKey: string;
  customKey: string;
  customApi: string;
}

const isOpen = (door: Door): boolean => door.answered_by !== null;
const of = (doors: readonly Door[], id: string): Door[] => doors.filter((door) => door.key_id === id);
const openApis = (doors: readonly Door[]): string[] => doors.filter(isOpen).map(({ api }) => api);

/** Judges the story. Pure: what the answers do not say is not known here. */
export function judge(answers: Answers, cast: Cast): Check[] {
  const { before, plan, rows, after, proof, grown, rolledBack } = answers;
  const storeApis = (doors: readonly Door[]): string[] => [
    ...new Set(doors.filter((door) => door.in_store).map(({ api }) => api)),
  ];
  const opensTheStore = (doors: readonly Door[]): boolean =>
    cast.storeKeys.every((id) => equal(openApis(of(doors, id)), storeApis(doors)));
  const outcomes = Object.values(plan.outcomes).reduce((sum, count) => sum + count, 0);
  return [
    { check: 'every per-API key has exactly one outcome', ok: outcomes === rows && plan.total === rows },
    {
      check: 'both keys stand under Settings, name and creation time as they were',
      ok: arrived(before.pages, after.settings),
    },
    { check: 'each of them opens every API of the store', ok: opensTheStore(after.doors) },
    {
      check: 'no door that was open is shut',
      ok: before.doors.filter(isOpen).every((door) => sameAccount(door, after.doors)),
    },
    {
      check: "no custom API was opened, the account's own included",
      ok: equal(custom(before.doors), custom(after.doors)),
    },
    {
      check: "the custom API's key opens that API and nothing else",
      ok: equal(openApis(of(after.doors, cast.customKey)), [cast.customApi]),
    },
    {
      check: 'the revoked key opens nothing',
      ok: [after, grown, rolledBack].every(({ doors }) => openApis(of(doors, cast.deadKey)).length === 0),
    },
    { check: 'the proof found no difference', ok: proof.ok },
    {
      check: 'an API that joined later was open to both keys at once',
      ok: opensTheStore(grown.doors) && storeApis(grown.doors).includes(grown.api),
    },
    {
      check: 'after the rollback every door is as it was before',
      ok: equal(
        before.doors,
        rolledBack.doors.filter(({ api }) => api !== grown.api),
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

const sameAccount = (door: Door, after: readonly Door[]): boolean =>
  after.some(
    (now) =>
      now.key_id === door.key_id &&
      now.api === door.api &&
      now.answered_by?.account_id === door.answered_by?.account_id,
  );

const custom = (doors: readonly Door[]): unknown[] =>
  doors.filter((door) => !door.in_store).map(({ key_id: id, api, answered_by: by }) => [id, api, by]);

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
