import { DEFAULT_SETTINGS } from '../config/defaults.js';
import { CATALOG_ALONE } from '../database/with-search-path.js';
import type { KeyColumn } from './columns.js';
import { mappedSchema, type LegacyFacts, type MappedSchema } from './inspect.js';

const column = (name: string, type: string, more: Partial<KeyColumn> = {}): KeyColumn => ({
  name,
  quoted: name,
  computed: false,
  generated: false,
  virtual: false,
  default: null,
  sequence: null,
  notNull: false,
  type,
  baseType: type,
  length: null,
  byText: type === 'text',
  ...more,
});

const TIMESTAMP = 'timestamp with time zone';
const SEQUENCE = 'public.api_keys_id_seq';

/** What the catalog says of the default tables as the shipped fixtures have them; a test compares it with a database. */
export const DEFAULT_FACTS: LegacyFacts = {
  values: {
    types: {
      id: 'bigint',
      token: 'text',
      api: 'bigint',
      account: 'bigint',
      api_id: 'bigint',
      last_used_at: TIMESTAMP,
      expires_at: TIMESTAMP,
      created_at: TIMESTAMP,
    },
    collated: {
      id: false,
      token: true,
      api: false,
      account: false,
      api_id: false,
      last_used_at: false,
      expires_at: false,
      created_at: false,
    },
    token_index: 'btree',
    token_fits_btree: true,
    path: 'public',
  },
  columns: [
    column('id', 'bigint', { notNull: true, default: `nextval('${SEQUENCE}'::regclass)`, sequence: SEQUENCE }),
    column('account_id', 'bigint'),
    column('api_id', 'bigint'),
    column('name', 'text'),
    column('token', 'text'),
    column('created_at', TIMESTAMP, { default: 'now()' }),
    column('last_used_at', TIMESTAMP),
    column('revoked_at', TIMESTAMP),
    column('expires_at', TIMESTAMP),
  ],
  uniques: [],
  partitions: [],
  keyIs: 'yes',
  accountForeignKey: null,
  searchPath: CATALOG_ALONE,
};

/** The operator's schema for the default configuration, without a database. */
export const defaultSchema = (): MappedSchema => mappedSchema(DEFAULT_SETTINGS, DEFAULT_FACTS);
