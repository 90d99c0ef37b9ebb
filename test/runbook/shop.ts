import { LEGACY_SCHEMA } from '../support/database.js';
import { TOKEN_MARK } from '../support/seed.js';

/** The key whose token is in the environment as INVOICE_KEY. */
export const CANARY = `${TOKEN_MARK}canary`;

/**
 * The shop that the documents speak of: 3,000 accounts with three plain keys each, 1711 and 90210 among them; the
 * canary is key 4711; account 1 has built a custom API. Its keys belong to shop_owner, and shop_platform writes them;
 * accounts and APIs are somebody else's.
 */
export const SHOP = `
  ${LEGACY_SCHEMA}
  insert into public.accounts (id, kind, name) select n, 'organization', 'account ' || n
    from generate_series(1, 3000) n;
  insert into public.apis (id, owner_account_id, slug, name, kind) values
    (1, null, 'invoices', 'Invoices', 'store'), (2, null, 'expense_receipts', 'Receipts', 'store'), (3, null,
      'receipts', 'Receipts, old', 'store'),
    (4, null, 'passport', 'Passport', 'store'), (5, 1, 'wsnine', 'Form W-9', 'custom');
  insert into public.api_keys (id, account_id, api_id, name, token, created_at, last_used_at, revoked_at)
    select n * 10, (n - 1) % 3000 + 1, n % 4 + 1, 'key ' || n, '${TOKEN_MARK}' || md5(n::text),
      timestamptz '2020-01-01+00' + n * interval '61.000007 s',
      case when n % 4 > 0 then now() - n * interval '30 min' end, case when n % 50 = 0 then timestamptz '2023-01-01+00'
        end
    from generate_series(1, 9021) n;
  insert into public.api_keys (id, account_id, api_id, name, token, created_at) values
    (4711, 7, 1, 'invoice-api-key', '${CANARY}', '2021-03-04 05:06:07.123456+00'), (4712, 1, 5, 'form-api-key',
      '${TOKEN_MARK}form', '2021-03-05+00'),
    (4713, 8, 1, 'invoices', '${TOKEN_MARK}twins', '2021-03-06+00'), (4714, 8, 2, 'receipts', '${TOKEN_MARK}twins',
      '2021-03-07+00');
  select setval(pg_get_serial_sequence('public.api_keys', 'id'), 100000),
    setval(pg_get_serial_sequence('public.accounts', 'id'), 3000);
  alter table public.api_keys owner to shop_owner;
  grant select, insert, update, delete on public.api_keys to shop_platform;
`;

/** A key at least for every reason of an exception; the runbook mends them by these ids. */
export const EXCEPTIONS = `
  insert into public.api_keys (id, account_id, api_id, name, token, created_at, revoked_at) values
    (5001, 21, 99, 'of an API that is gone', '${TOKEN_MARK}5001', '2021-01-01+00', null),
    (5002, 9999, 1, 'of an account that is gone', '${TOKEN_MARK}5002', '2021-01-02+00', null),
    (5003, 22, 1, 'without a token', null, '2021-01-03+00', null),
    (5004, 23, 2, 'without a date', '${TOKEN_MARK}5004', null, null),
    (5005, 24, 1, 'shared', '${TOKEN_MARK}shared', '2021-01-05+00', null),
    (5006, 25, 2, 'shared', '${TOKEN_MARK}shared', '2021-01-06+00', null),
    (5007, 26, 1, 'alive', '${TOKEN_MARK}half', '2021-01-07+00', null),
    (5008, 26, 2, 'dead', '${TOKEN_MARK}half', '2021-01-08+00', '2022-01-01+00');
`;

/** What is there on the server before any of the runbook's roles: who owns the tables, and who writes them. */
export const OWNERS = `create role shop_owner; create role shop_platform login password 'change me'`;
