-- What an ORM with camel-case models makes: quoted names, ids of text made by the application, times in UTC without a zone.
CREATE TYPE public."Listing" AS ENUM ('PRIVATE', 'STORE');

CREATE TABLE public."Organization" (
  "id"        text PRIMARY KEY,
  "name"      text NOT NULL,
  "createdAt" timestamp(3) NOT NULL DEFAULT CURRENT_TIMESTAMP
);

CREATE TABLE public."Project" (
  "id"             text PRIMARY KEY,
  "name"           text NOT NULL,
  "organizationId" text NOT NULL REFERENCES public."Organization" ("id") ON DELETE CASCADE
);

CREATE TABLE public."Environment" (
  "id"        text PRIMARY KEY,
  "type"      text NOT NULL,
  "projectId" text NOT NULL REFERENCES public."Project" ("id") ON DELETE CASCADE
);

CREATE TABLE public."Endpoint" (
  "id"      text PRIMARY KEY,
  "slug"    text NOT NULL UNIQUE,
  "listing" public."Listing" NOT NULL DEFAULT 'PRIVATE'
);

CREATE TABLE public."ApiKey" (
  "id"            text PRIMARY KEY,
  "createdAt"     timestamp(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  "lastUsedAt"    timestamp(3),
  "revokedAt"     timestamp(3),
  "expiresAt"     timestamp(3),
  "label"         text,
  "hashedKey"     text NOT NULL,
  "environmentId" text NOT NULL REFERENCES public."Environment" ("id") ON DELETE CASCADE,
  "endpointId"    text NOT NULL
);

CREATE INDEX "ApiKey_hashedKey_idx" ON public."ApiKey" ("hashedKey");
CREATE INDEX "ApiKey_environmentId_idx" ON public."ApiKey" ("environmentId");
