import { tokenOf, type Seed } from './seed.js';

const PAST = '2022-06-01 10:00:00.000001+00';
const FUTURE = '2100-01-01 00:00:00.999999+00';

/** The configuration of `PROJECTS`: an account's keys open its own APIs and no other. */
export const OWN_APIS = { legacy: { apis: { inStore: { sql: 'a.owner_account_id = o.id' } } } };

/** The account hugo, and key 50: what the holds of `PROJECTS` name. */
export const PROJECTS_HOLDS = { csv: 'key_id,account_id\n50,\n,5\n', keyIds: ['50'], accountIds: ['5'] };

/**
 * Projects of organizations. Each rule has a key, and so has each way in which a key of one organization meets a
 * project of another.
 */
export const PROJECTS: Seed = {
  accounts: ['acme', 'bert', 'cleo', 'dora', 'hugo'],
  apis: {
    'acme-1': 'custom of acme',
    'acme-2': 'custom of acme',
    'acme-3': 'custom of acme',
    'bert-1': 'custom of bert',
    'bert-2': 'custom of bert',
    'cleo-1': 'custom of cleo',
    'dora-1': 'custom of dora',
    'hugo-1': 'custom of hugo',
    'hugo-2': 'custom of hugo',
    public: 'store',
  },
  keys: [
    { id: 1, account: 'acme', api: 'acme-1', name: 'first', used: PAST },
    { id: 2, account: 'acme', api: 'acme-2', name: 'second' },
    { id: 3, account: 'acme', api: 'acme-1', revoked: PAST },
    { id: 4, account: 'bert', api: 'bert-1', expires: FUTURE },
    { id: 5, account: 'bert', api: 'bert-2', expires: PAST },
    { id: 6, account: 'cleo', api: 'cleo-1' },
    // a project of another organization, and one of no organization
    { id: 10, account: 'bert', api: 'acme-1', name: 'guest' },
    { id: 11, account: 'dora', api: 'acme-2', revoked: PAST },
    { id: 12, account: 'acme', api: 'public' },
    // one token, one account: two projects, an own one and another's
    { id: 20, account: 'acme', api: 'acme-1', token: tokenOf('pair'), created: '2021-05-02+00' },
    { id: 21, account: 'acme', api: 'acme-2', token: tokenOf('pair'), created: '2021-05-01+00', used: PAST },
    { id: 22, account: 'bert', api: 'bert-1', token: tokenOf('own and guest'), created: '2021-05-02+00' },
    { id: 23, account: 'bert', api: 'acme-3', token: tokenOf('own and guest'), created: '2021-05-01+00' },
    { id: 24, account: 'acme', api: 'acme-1', token: tokenOf('half dead') },
    { id: 25, account: 'acme', api: 'acme-3', token: tokenOf('half dead'), revoked: PAST },
    // one token, two accounts: both at home, one at the other's, the same project
    { id: 30, account: 'acme', api: 'acme-1', token: tokenOf('both own') },
    { id: 31, account: 'bert', api: 'bert-1', token: tokenOf('both own') },
    { id: 32, account: 'acme', api: 'acme-1', token: tokenOf('guest of mine'), created: '2021-02-02+00' },
    { id: 33, account: 'bert', api: 'acme-2', token: tokenOf('guest of mine'), created: '2021-02-01+00' },
    { id: 34, account: 'acme', api: 'acme-3', token: tokenOf('earlier here'), created: '2021-02-01+00' },
    { id: 35, account: 'bert', api: 'acme-3', token: tokenOf('earlier here'), created: '2021-02-02+00' },
    { id: 36, account: 'acme', api: 'acme-3', token: tokenOf('later here'), created: '2021-02-02+00' },
    { id: 37, account: 'bert', api: 'acme-3', token: tokenOf('later here'), created: '2021-02-01+00' },
    // pointing nowhere
    { id: 40, account: 'acme', api: 'gone' },
    { id: 41, account: 'acme', api: null },
    { id: 42, account: 'nobody', api: 'acme-1' },
    { id: 43, account: null, api: 'bert-1' },
    { id: 44, account: 'acme', api: 'acme-1', token: null },
    { id: 45, account: 'acme', api: 'acme-1', created: null },
    { id: 46, account: 'nobody', api: 'public' },
    // held
    { id: 50, account: 'acme', api: 'acme-1', token: tokenOf('held') },
    { id: 51, account: 'acme', api: 'acme-2', token: tokenOf('held') },
    { id: 52, account: 'hugo', api: 'hugo-1' },
    { id: 53, account: 'hugo', api: 'bert-1' },
  ],
};
