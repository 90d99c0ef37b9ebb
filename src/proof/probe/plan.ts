import type { Fault } from '../../config/structure.js';

/** What is sent, and as what. */
export interface Body {
  bytes: Buffer;
  contentType: string;
}

/** A request as it will be sent. `header` and `token` are secret. */
export interface PlannedRequest {
  name: string | null;
  method: string;
  path: string;
  header: { name: string; value: string };
  token: string;
  keyId: string | null;
  before: number;
  after: number;
  body: Body | null;
}

/** A probe file, read and found whole. */
export interface ProbePlan {
  baseUrl: URL;
  /** PEM of a private certificate authority. */
  ca: string | null;
  timeoutMs: number;
  retries: number;
  concurrency: number;
  perSecond: number;
  requests: PlannedRequest[];
}

/** The file as its schema describes it. */
export interface ProbeFile {
  baseUrl: string;
  ca?: string;
  timeout?: number;
  retries?: number;
  concurrency?: number;
  perSecond?: number;
  requests: {
    name?: string;
    method: string;
    path: string;
    header: string;
    before: number;
    after: number;
    keyId?: string | number;
    body?: BodySettings;
  }[];
}

export interface BodySettings {
  text?: string;
  file?: string;
  field?: string;
  contentType?: string;
}

/** Where a part of the file is read, and where its faults go. */
export interface Desk {
  file: string;
  env: Record<string, string | undefined>;
  fault: (path: Fault['path'], reason: string) => void;
}
