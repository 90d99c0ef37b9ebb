-- One table for every kind of credential, with a flag instead of a date of revocation.
CREATE TABLE public.teams (
  id   uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  name text NOT NULL
);

CREATE TABLE public.apps (
  id         uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  path       text NOT NULL,
  is_private boolean NOT NULL DEFAULT true
);

CREATE TABLE public.credentials (
  id         bigserial PRIMARY KEY,
  team_id    uuid NOT NULL REFERENCES public.teams,
  app_id     uuid REFERENCES public.apps,
  type       text NOT NULL CHECK (type IN ('api_key', 'ssh_key', 'password')),
  token      text NOT NULL,
  is_active  boolean NOT NULL DEFAULT true,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX credentials_token ON public.credentials (token);
