-- A platform of projects: a key belongs to one project, and the project to an organization. A project can be archived.
CREATE TABLE public.organizations (
  id         uuid PRIMARY KEY,
  name       text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE public.projects (
  id              uuid PRIMARY KEY,
  organization_id uuid NOT NULL REFERENCES public.organizations (id) ON DELETE CASCADE,
  slug            text NOT NULL UNIQUE,
  archived_at     timestamptz
);

CREATE INDEX projects_organization_id ON public.projects (organization_id);

CREATE TABLE public.project_api_keys (
  id           uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  project_id   uuid NOT NULL REFERENCES public.projects (id) ON DELETE CASCADE,
  name         text,
  key_hash     text NOT NULL,
  created_at   timestamptz NOT NULL DEFAULT now(),
  last_used_at timestamptz,
  revoked_at   timestamptz
);

CREATE INDEX project_api_keys_key_hash ON public.project_api_keys (key_hash);
