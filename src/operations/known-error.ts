import { keyliftError, KeyliftError } from '../errors/keylift-error.js';

/** Any thrown value as an error of the catalogue. An AbortError becomes `interrupted`, an unknown error a bug. */
export async function knownError(error: unknown): Promise<KeyliftError> {
  if (error instanceof KeyliftError) return error;
  if (error instanceof Error && error.name === 'AbortError') {
    return keyliftError('interrupted', { message: 'the command was stopped on request', cause: error });
  }
  // Imported only here: pg is slow to load, and most commands do not fail.
  const { describeDatabaseError } = await import('../database/describe.js');
  return describeDatabaseError(error);
}
