-- A web framework's tables: integer ids from sequences, times in UTC without a zone, tokens as SHA-256 in hex.
CREATE TABLE public.users (
  id         serial PRIMARY KEY,
  email      varchar(255) NOT NULL UNIQUE,
  created_at timestamp(6) NOT NULL
);

CREATE TABLE public.services (
  id         serial PRIMARY KEY,
  slug       varchar(60) NOT NULL UNIQUE,
  visibility varchar(20) NOT NULL DEFAULT 'private',
  user_id    integer REFERENCES public.users (id)
);

CREATE TABLE public.api_tokens (
  id           serial PRIMARY KEY,
  user_id      integer,
  service_id   integer,
  name         varchar(120),
  token_digest char(64) UNIQUE,
  last_used_at timestamp(6),
  revoked_at   timestamp(6),
  expires_at   timestamp(6),
  created_at   timestamp(6) NOT NULL DEFAULT (now() AT TIME ZONE 'UTC'),
  updated_at   timestamp(6) NOT NULL DEFAULT (now() AT TIME ZONE 'UTC')
);

CREATE INDEX api_tokens_user_id ON public.api_tokens (user_id);
