import type { Ended } from '../support/scenario.js';
import type { Fault, Ground } from './ground.js';
import { isAlive } from './model.js';
import { STRIDE } from './place.js';

const OUTCOMES = ['move', 'stay', 'merge', 'hold', 'exception'];

function differences(found: Record<string, unknown>, expected: Record<string, unknown>): Fault[] {
  return Object.entries(expected)
    .filter(([field, value]) => JSON.stringify(found[field]) !== JSON.stringify(value))
    .map(([field, value]) => ({ world: null, what: `the answer's ${field}`, expected: value, found: found[field] }));
}

/** What `plan --json` says of all keys of all worlds, against the model. */
export function planFaults({ worlds, migration }: Ground, ended: Ended): Fault[] {
  const judged = worlds.flatMap(({ model }) =>
    [...model.judged(migration.held)].map(([id, judgement]) => ({ judgement, key: model.keys.get(id)! })),
  );
  const exceptions = judged
    .flatMap(({ key: { id }, judgement }) =>
      judgement.outcome === 'exception' && 'reason' in judgement ? [{ key_id: id, reason: judgement.reason }] : [],
    )
    .sort((a, b) => Number(BigInt(a.key_id) - BigInt(b.key_id)));
  const widened = judged
    .filter(({ judgement, key }) => judgement.outcome === 'move' && isAlive(key))
    .map(({ key }) => key);
  const storeApis = new Set(
    worlds.flatMap(({ model }) => [...model.apis].filter(([, kind]) => kind === 'store').map(([id]) => id)),
  ).size;
  const plan = ended.json<{ widening: Record<string, number> }>();
  return [
    ...(ended.exitCode === (exceptions.length > 0 ? 6 : 0)
      ? []
      : [{ world: null, what: 'exit code of plan', expected: exceptions.length, found: ended.exitCode }]),
    ...differences(
      { ...plan, accounts: plan.widening.accounts, keys: plan.widening.keys, store_apis: plan.widening.store_apis },
      {
        outcomes: Object.fromEntries(
          OUTCOMES.map((outcome) => [outcome, judged.filter(({ judgement }) => judgement.outcome === outcome).length]),
        ),
        exceptions,
        total: judged.length,
        accounts: new Set(widened.map(({ account }) => account)).size,
        keys: widened.length,
        store_apis: storeApis,
      },
    ),
  ];
}

/** Differences that `verify --json` lists, each the fault of the world whose key it is. */
export const listedFaults = (ended: Ended): Fault[] =>
  ended
    .json<{ differences: { key_id: string }[] }>()
    .differences.map((difference) => ({
      world: Math.abs(Number(difference.key_id)) % STRIDE,
      what: `the proof, key ${difference.key_id}`,
      found: difference,
    }));

/** What `verify --json` says, against the model's arithmetic. */
export function verifyFaults({ worlds, migration }: Ground, ended: Ended): Fault[] {
  const moved = worlds
    .flatMap(({ model }) => [...model.judged(migration.held).values()])
    .filter(({ outcome }) => outcome === 'move').length;
  const gained = worlds.reduce((sum, { model }) => sum + model.gain(migration.held), 0);
  return differences(ended.json(), {
    ok: true,
    keys: { compared: moved, missing: 0, extra: 0, different: 0 },
    authorization: {
      lost: 0,
      gained_store: gained,
      predicted_gained_store: gained,
      gained_custom: 0,
      gained_foreign: 0,
      revived: 0,
    },
    differences: [],
  });
}
