import fc from 'fast-check';
import type { KeySeed, Seed } from './seed.js';
import { tokenOf } from './seed.js';

/** What the drawn keys belong to. */
export const DRAWN_WORLD: Omit<Seed, 'keys'> = {
  accounts: ['acme', 'bert', 'cleo'],
  apis: { invoices: 'store', receipts: 'store', forms: 'custom of acme' },
};

const PAST = '2022-06-01 10:00:00.000001+00';
const FUTURE = ['2100-01-01+00', '2100-01-02+00'];

const often = <T>(usual: fc.Arbitrary<T>, ...rare: T[]): fc.Arbitrary<T> =>
  fc.oneof({ weight: 12, arbitrary: usual }, { weight: 1, arbitrary: fc.constantFrom(...rare) });

/** A token that keys share, or one of the key's own. */
type Token = string | null | 'own';

/** Few values, so that most keys share their token, and meet in one group with every other rule. */
const drawnKey: fc.Arbitrary<KeySeed> = fc
  .record({
    account: often<string | null>(fc.constantFrom('acme', 'acme', 'bert', 'cleo'), 'nobody', null),
    api: often<string | null>(fc.constantFrom('invoices', 'receipts', 'forms'), 'gone', null),
    token: often<Token>(
      fc.oneof(
        fc.nat(9).map((n) => tokenOf(`shared ${String(n)}`)),
        fc.constant('own' as const),
      ),
      '',
      null,
    ),
    created: often<string | null>(
      fc.constantFrom('2021-01-01+00', '2021-01-02+00', '1969-12-31 23:59:59.999999+00'),
      null,
    ),
    used: fc.constantFrom(null, PAST, '2023-01-01+00', '2090-01-01+00'),
    revoked: often<string | null>(fc.constant(null), PAST),
    expires: often<string | null>(fc.constant(null), PAST, ...FUTURE),
  })
  .map(({ token, ...key }) => (token === 'own' ? key : { ...key, token }));

/** A population of keys, the holds on some of them, and tokens that native keys have. */
export interface DrawnKeys {
  keys: KeySeed[];
  heldKeys: string[];
  heldAccounts: string[];
  nativeTokens: string[];
}

export const drawnKeys: fc.Arbitrary<DrawnKeys> = fc.record({
  keys: fc.array(drawnKey, { maxLength: 40, size: 'max' }),
  heldKeys: fc.array(
    fc.integer({ min: 1, max: 40 }).map((id) => String(id)),
    { maxLength: 3 },
  ),
  heldAccounts: often(fc.constant<string[]>([]), ['1'], ['3']),
  nativeTokens: fc.array(
    fc.oneof(
      fc.nat(9).map((n) => tokenOf(`shared ${String(n)}`)),
      fc.integer({ min: 1, max: 40 }).map((id) => tokenOf(id)),
    ),
    { maxLength: 3 },
  ),
});
