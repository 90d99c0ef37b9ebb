import fc from 'fast-check';
import { INSTANTS, NAMES, SHARED_TOKENS } from './values.js';

/*
 * What is drawn: numbers that stand for accounts, APIs, tokens and dates. `place.ts` gives them their ids. A pick is a
 * number that chooses among what is there at the moment, modulo.
 */

/**
 * Store APIs are told by `store`, those of the world's own by `custom`; `nowhere` points at an API that is not there.
 */
export type ApiDraw = { store: number } | { custom: number } | 'nowhere' | null;
/** Accounts by number; `nowhere` points at an account that is not there. */
export type AccountDraw = number | 'nowhere' | null;
/** Tokens that keys share by number; `own` is nobody else's. */
export type TokenDraw = number | 'own' | '' | null;

export interface KeyDraw {
  /** How many ids lie between this key and the one before it. */
  gap: number;
  account: AccountDraw;
  api: ApiDraw;
  token: TokenDraw;
  name: string | null;
  created: string | null;
  used: string | null;
  revoked: string | null;
  expires: string | null;
}

/** One column of a key and what it becomes. */
export type Change =
  | { column: 'name' | 'revoked' | 'expires' | 'created'; to: string | null }
  | { column: 'token'; to: TokenDraw }
  | { column: 'account'; to: AccountDraw }
  | { column: 'api'; to: ApiDraw };

/** What the platform does: an old release in the legacy table, a new one in Settings. */
export type WriteDraw =
  | { kind: 'insert'; key: KeyDraw }
  | { kind: 'change'; pick: number; change: Change }
  | { kind: 'change of all'; change: Change }
  | { kind: 'swap of tokens'; picks: [number, number] }
  | { kind: 'new id'; pick: number }
  | { kind: 'delete'; pick: number }
  | { kind: 'use'; pick: number; at: string }
  | { kind: 'born'; account: number; name: string | null; token: TokenDraw }
  | { kind: 'change in Settings'; pick: number; change: Change }
  | { kind: 'delete in Settings'; pick: number }
  | { kind: 'use in Settings'; pick: number; at: string };

/** Writes that an old release makes: none of them looks at the new table. */
export const ofOldRelease = (write: WriteDraw): boolean => !write.kind.includes('Settings') && write.kind !== 'born';

export interface WorldDraw {
  accounts: number;
  /** Owners of custom APIs, by number. */
  customs: number[];
  keys: KeyDraw[];
  /** Each before the step with this number, or after the last. */
  writes: { slot: number; write: WriteDraw }[];
  /** Lists that steps may take: keys and accounts to be held, accounts to be switched or taken back. */
  holds: { keys: number[]; accounts: number[] };
  listed: number[];
}

export type Until = 'expand' | 'backfill' | 'harden' | 'verify' | 'switch';
/** `set`: the worlds' lists; `lift`: a file with the header alone. */
export type HoldsDraw = 'keep' | 'set' | 'lift';

/** A command of the operator. `alongside`: the next writes of the old release come while it runs. */
export type StepDraw =
  | { kind: 'migrate'; until: Until; holds: HoldsDraw; batchSize: number; alongside: boolean }
  | { kind: 'paused'; until: Until }
  | { kind: 'interrupted'; pick: number; batchSize: number }
  | { kind: 'switch'; who: 'all' | 'listed' | number; back: boolean; alongside: boolean }
  | { kind: 'rollback'; who: 'all' | 'listed' }
  | { kind: 'finalize' | 'plan' }
  | { kind: 'verify'; alongside: boolean };

export interface ScriptDraw {
  storeApis: number;
  steps: StepDraw[];
}

export const SLOTS = 8;

const pick = fc.nat(30);
const instant = fc.constantFrom(...INSTANTS);
const rarely = <T>(arb: fc.Arbitrary<T>, weight = 1): fc.Arbitrary<T | null> =>
  fc.oneof({ weight: 4, arbitrary: fc.constant(null) }, { weight, arbitrary: arb });
const name = fc.constantFrom(...NAMES);
/** Few values, so that keys agree in them by chance: two futures and two pasts. */
const expiry = rarely(fc.constantFrom(INSTANTS[9]!, INSTANTS[10]!, INSTANTS[8]!, INSTANTS[0]!, INSTANTS[12]!), 2);
const created = fc.oneof({ weight: 12, arbitrary: instant }, { weight: 1, arbitrary: fc.constant(null) });

const account: fc.Arbitrary<AccountDraw> = fc.oneof(
  { weight: 20, arbitrary: fc.nat(2) },
  { weight: 1, arbitrary: fc.constant<AccountDraw>('nowhere') },
  { weight: 1, arbitrary: fc.constant(null) },
);
const api: fc.Arbitrary<ApiDraw> = fc.oneof(
  { weight: 16, arbitrary: fc.record({ store: fc.nat(3) }) },
  { weight: 4, arbitrary: fc.record({ custom: fc.nat(1) }) },
  { weight: 1, arbitrary: fc.constant<ApiDraw>('nowhere') },
  { weight: 1, arbitrary: fc.constant(null) },
);
const token: fc.Arbitrary<TokenDraw> = fc.oneof(
  { weight: 10, arbitrary: fc.nat(2) },
  { weight: 3, arbitrary: fc.nat(SHARED_TOKENS - 1) },
  { weight: 6, arbitrary: fc.constant<TokenDraw>('own') },
  { weight: 1, arbitrary: fc.constantFrom<TokenDraw>('', null) },
);

const key: fc.Arbitrary<KeyDraw> = fc.record({
  gap: fc.oneof({ weight: 4, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.nat(4) }),
  account,
  api,
  token,
  name,
  created,
  used: rarely(instant, 4),
  revoked: rarely(instant),
  expires: expiry,
});

const change: fc.Arbitrary<Change> = fc.oneof(
  fc.record({ column: fc.constant('name' as const), to: name }),
  fc.record({ column: fc.constant('revoked' as const), to: fc.option(instant, { freq: 2 }) }),
  fc.record({ column: fc.constant('expires' as const), to: expiry }),
  fc.record({ column: fc.constant('token' as const), to: token }),
  fc.record({ column: fc.constant('account' as const), to: account }),
);
const legacyChange: fc.Arbitrary<Change> = fc.oneof(
  { weight: 5, arbitrary: change },
  { weight: 1, arbitrary: fc.record({ column: fc.constant('created' as const), to: created }) },
  { weight: 2, arbitrary: fc.record({ column: fc.constant('api' as const), to: api }) },
);
/** What would break the platform's own constraints for good is not for Settings: accounts that are not there. */
const settingsChange = change.filter((c) => c.column !== 'account' || typeof c.to === 'number');

const write: fc.Arbitrary<WriteDraw> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('insert' as const), key }) },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('change' as const), pick, change: legacyChange }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('change of all' as const), change: legacyChange }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('swap of tokens' as const), picks: fc.tuple(pick, pick) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('new id' as const), pick }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('delete' as const), pick }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('use' as const), pick, at: instant }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('born' as const), account: fc.nat(2), name, token }) },
  {
    weight: 5,
    arbitrary: fc.record({ kind: fc.constant('change in Settings' as const), pick, change: settingsChange }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('delete in Settings' as const), pick }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('use in Settings' as const), pick, at: instant }) },
);

export const worldDraw: fc.Arbitrary<WorldDraw> = fc.record({
  accounts: fc.integer({ min: 1, max: 3 }),
  customs: fc.array(fc.nat(2), { maxLength: 2 }),
  keys: fc.array(key, { maxLength: 9, size: 'max' }),
  writes: fc.array(fc.record({ slot: fc.nat(SLOTS), write }), { maxLength: 16, size: 'max' }),
  holds: fc.record({ keys: fc.array(pick, { maxLength: 2 }), accounts: fc.array(pick, { maxLength: 1 }) }),
  listed: fc.array(fc.nat(2), { minLength: 1, maxLength: 2 }),
});

const until = fc.constantFrom<Until>('expand', 'backfill', 'harden', 'verify', 'switch');
const batchSize = fc.constantFrom(1, 3, 1_000, 200_000);
const alongside = fc.boolean();

const step: fc.Arbitrary<StepDraw> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('migrate' as const),
      until,
      holds: fc.constantFrom<HoldsDraw>('keep', 'keep', 'set', 'lift'),
      batchSize,
      alongside,
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('paused' as const), until }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('interrupted' as const), pick, batchSize: fc.constantFrom(1, 3) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('switch' as const),
      who: fc.oneof(fc.constantFrom('all' as const, 'listed' as const), fc.constantFrom(5, 50, 60, 100)),
      back: fc.boolean(),
      alongside,
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('rollback' as const),
      who: fc.constantFrom('all' as const, 'listed' as const),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('finalize' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('plan' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('verify' as const), alongside }) },
);

export const scriptDraw: fc.Arbitrary<ScriptDraw> = fc.record({
  storeApis: fc.integer({ min: 0, max: 4 }),
  steps: fc.array(step, { minLength: 1, maxLength: SLOTS, size: 'max' }),
});
