-- Three schemas of one database, random ids everywhere, digests as bytes.
CREATE SCHEMA iam;
CREATE SCHEMA catalog;

CREATE TABLE iam.tenants (
  tenant_id    uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  display_name text NOT NULL,
  created_at   timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE catalog.products (
  product_id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  path       text NOT NULL UNIQUE,
  listed     boolean NOT NULL DEFAULT false
);

CREATE TABLE iam.api_credentials (
  credential_id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  tenant_id     uuid NOT NULL REFERENCES iam.tenants,
  product_id    uuid NOT NULL REFERENCES catalog.products,
  label         text,
  key_hash      bytea NOT NULL,
  issued_at     timestamptz(3) NOT NULL DEFAULT now(),
  last_seen_at  timestamptz(3),
  revoked_at    timestamptz(3),
  valid_until   timestamptz(3)
);

CREATE INDEX api_credentials_key_hash ON iam.api_credentials USING hash (key_hash);
