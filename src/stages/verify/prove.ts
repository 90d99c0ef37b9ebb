import type { Database } from '../../database/connect.js';
import type { MappedSchema } from '../../mapping/inspect.js';
import type { Proof } from '../../proof/document.js';
import { prove, type VerifyOptions } from '../../proof/verify.js';
import { catchUpChunk } from '../last-use.js';

/** The proof, and `last_used_at` brought to the later of both tables wherever the proof finds that they differ. */
export const proveAndSync = (database: Database, mapped: MappedSchema, options: VerifyOptions = {}): Promise<Proof> =>
  prove(database, mapped, { ...options, onLag: (chunk, schema) => catchUpChunk(database, mapped, { chunk, schema }) });
