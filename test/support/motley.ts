import { tokenOf, type Seed } from './seed.js';

const PAST = '2022-06-01 10:00:00.000001+00';
const FUTURE = '2100-01-01 00:00:00.999999+00';

/** Keys 60 and the account hugo: what the holds of `MOTLEY` name. */
export const MOTLEY_HOLDS = { csv: 'key_id,account_id\n60,\n,5\n', keyIds: ['60'], accountIds: ['5'] };

/** One key at least for every rule, and for every pair of rules that meet on one token. */
export const MOTLEY: Seed = {
  accounts: ['acme', 'bert', 'cleo', 'dora', 'hugo'],
  apis: { invoices: 'store', receipts: 'store', passport: 'store', forms: 'custom of acme', letters: 'custom of bert' },
  keys: [
    {
      id: 1,
      account: 'acme',
      api: 'invoices',
      name: 'invoice-api-key',
      created: '2021-03-04 05:06:07.123456+00',
      used: PAST,
    },
    { id: 2, account: 'acme', api: 'receipts', name: 'receipt-api-key', created: '1969-12-31 23:59:59.999999+00' },
    { id: 3, account: 'acme', api: 'forms' },
    { id: 4, account: 'acme', api: 'invoices', revoked: PAST },
    { id: 5, account: 'acme', api: 'receipts', expires: PAST },
    { id: 6, account: 'bert', api: 'invoices', expires: FUTURE },
    { id: 7, account: 'bert', api: 'passport', name: null },
    { id: 8, account: 'bert', api: 'passport', name: '' },
    { id: 9, account: 'bert', api: 'receipts', name: '  two  spaces ' },
    { id: 10, account: 'bert', api: 'receipts', name: 'مفتاح 🔑 e\u0301 "\\\n' },
    { id: 11, account: 'bert', api: 'letters', revoked: PAST },
    { id: 12, account: 'cleo', api: 'invoices', revoked: FUTURE },
    // one token, one account, one life
    {
      id: 20,
      account: 'cleo',
      api: 'invoices',
      token: tokenOf('twins'),
      created: '2021-05-02+00',
      used: PAST,
      name: 'second',
    },
    { id: 21, account: 'cleo', api: 'receipts', token: tokenOf('twins'), created: '2021-05-01+00', name: 'first' },
    {
      id: 22,
      account: 'cleo',
      api: 'receipts',
      token: tokenOf('twins'),
      created: '2021-05-01+00',
      used: '2023-01-01+00',
      name: 'same moment',
    },
    { id: 23, account: 'cleo', api: 'invoices', token: tokenOf('dead twins'), revoked: PAST },
    { id: 24, account: 'cleo', api: 'passport', token: tokenOf('dead twins'), expires: PAST },
    { id: 25, account: 'cleo', api: 'invoices', token: tokenOf('one expiry'), expires: FUTURE },
    { id: 26, account: 'cleo', api: 'passport', token: tokenOf('one expiry'), expires: FUTURE },
    // one token, one account, several lives
    { id: 27, account: 'cleo', api: 'invoices', token: tokenOf('half dead') },
    { id: 28, account: 'cleo', api: 'receipts', token: tokenOf('half dead'), revoked: PAST },
    { id: 29, account: 'cleo', api: 'invoices', token: tokenOf('two expiries'), expires: FUTURE },
    { id: 30, account: 'cleo', api: 'receipts', token: tokenOf('two expiries'), expires: '2099-01-01+00' },
    // one token, two accounts
    { id: 31, account: 'acme', api: 'invoices', token: tokenOf('shared') },
    { id: 32, account: 'bert', api: 'receipts', token: tokenOf('shared') },
    { id: 33, account: 'acme', api: 'invoices', token: tokenOf('shared here'), created: '2021-02-02+00' },
    { id: 34, account: 'bert', api: 'invoices', token: tokenOf('shared here'), created: '2021-02-01+00' },
    // pointing nowhere
    { id: 40, account: 'acme', api: 'gone' },
    { id: 41, account: 'acme', api: null },
    { id: 42, account: 'nobody', api: 'invoices' },
    { id: 43, account: null, api: 'receipts' },
    { id: 44, account: 'acme', api: 'invoices', token: null },
    { id: 45, account: 'acme', api: 'invoices', token: '' },
    { id: 46, account: 'acme', api: 'invoices', created: null },
    { id: 47, account: 'nobody', api: 'forms', created: null },
    { id: 48, account: 'nobody', api: null, token: '', created: null },
    { id: 49, account: 'acme', api: 'forms', token: null },
    // one token on keys of several outcomes
    { id: 50, account: 'acme', api: 'invoices', token: tokenOf('store and custom') },
    { id: 51, account: 'acme', api: 'forms', token: tokenOf('store and custom') },
    { id: 52, account: 'bert', api: 'invoices', token: tokenOf('store and theirs') },
    { id: 53, account: 'acme', api: 'forms', token: tokenOf('store and theirs') },
    { id: 54, account: 'acme', api: 'invoices', token: tokenOf('moved and orphan') },
    { id: 55, account: 'nobody', api: 'receipts', token: tokenOf('moved and orphan') },
    { id: 56, account: 'acme', api: 'invoices', token: tokenOf('moved and undated') },
    { id: 57, account: 'acme', api: 'passport', token: tokenOf('moved and undated'), created: null },
    { id: 58, account: 'bert', api: 'invoices', token: tokenOf('moved and lost') },
    { id: 59, account: 'bert', api: 'gone', token: tokenOf('moved and lost') },
    // held: by its id, with the twin of its account; by its account; beside another account's
    { id: 60, account: 'bert', api: 'invoices', token: tokenOf('held twins') },
    { id: 61, account: 'bert', api: 'receipts', token: tokenOf('held twins') },
    { id: 62, account: 'hugo', api: 'invoices' },
    { id: 63, account: 'hugo', api: 'passport', revoked: PAST },
    { id: 64, account: 'hugo', api: 'forms' },
    { id: 65, account: 'hugo', api: 'invoices', token: tokenOf('held and shared') },
    { id: 66, account: 'acme', api: 'receipts', token: tokenOf('held and shared') },
    // beyond what a JavaScript number can hold, and close together
    { id: '9007199254740993', account: 'bert', api: 'invoices' },
    { id: '9007199254740992', account: 'bert', api: 'receipts' },
    { id: '-5', account: 'bert', api: 'passport' },
  ],
};
