/** What came of one request. Never a token: the key is named by its id and its fingerprint. */
export interface ProbeResult {
  /** Its place in the file, from 1. */
  request: number;
  name: string | null;
  method: string;
  path: string;
  /** Null where no key has the token, or none had to be looked for. */
  key_id: string | null;
  fingerprint: string | null;
  /** Is the key's account answered from Settings? Null where no key was found. */
  switched: boolean | null;
  expected: number;
  /** Null where no answer came. */
  status: number | null;
  ok: boolean;
  /** How often it was sent. */
  attempts: number;
  /** Why no answer came. */
  reason: string | null;
}

/** What a probe found: `verify --probe`. */
export interface Probe {
  /** Every request was answered as expected. */
  ok: boolean;
  base_url: string;
  requests: number;
  same: number;
  different: number;
  unanswered: number;
  results: ProbeResult[];
  seconds: number;
}
