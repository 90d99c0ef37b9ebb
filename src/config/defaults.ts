import type { Settings } from './settings.js';

/** The settings without a config file. They describe the tables of the shipped fixtures. */
export const DEFAULT_SETTINGS: Settings = {
  legacy: {
    keys: {
      table: 'public.api_keys',
      id: 'id',
      token: 'token',
      name: 'name',
      createdAt: 'created_at',
      lastUsedAt: 'last_used_at',
      revokedAt: 'revoked_at',
      expiresAt: 'expires_at',
      api: 'api_id',
      account: 'account_id',
      carry: [],
      where: null,
    },
    apis: { table: 'public.apis', id: 'id', slug: 'slug', inStore: { sql: "a.kind = 'store'" } },
    accounts: { table: 'public.accounts', id: 'id', name: 'name' },
  },
  target: { table: 'public.account_api_keys' },
};
