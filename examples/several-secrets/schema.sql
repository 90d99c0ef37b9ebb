-- A key is more than its token: a public id, a hashed secret with its salt, a second secret for signing, limits.
CREATE TABLE public.merchants (
  id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  company_name text NOT NULL
);

CREATE TABLE public.apis (
  id                bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  slug              text NOT NULL UNIQUE,
  owner_merchant_id bigint
);

CREATE TABLE public.access_keys (
  id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  merchant_id    bigint NOT NULL,
  api_id         bigint NOT NULL,
  title          text,
  access_token   text NOT NULL UNIQUE,
  secret_hash    bytea NOT NULL,
  secret_salt    bytea NOT NULL,
  signing_secret text UNIQUE,
  token_prefix   varchar(8) NOT NULL DEFAULT 'pk',
  rate_limits    json NOT NULL DEFAULT '{"per_minute": 60}',
  scopes         text[] NOT NULL DEFAULT '{}',
  masked         text GENERATED ALWAYS AS (left(access_token, 4) || '…') STORED,
  created        timestamptz NOT NULL DEFAULT now(),
  last_used      timestamptz,
  disabled_at    timestamptz
);
