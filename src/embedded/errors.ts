import { UnreachableError, UsageError } from '../errors.js';
import type { ErrorDetails } from '../errors.js';

type Details = Omit<ErrorDetails, 'anchor'>;

const ANCHOR = { anchor: 'fixtures-and-the-embedded-server' };

/** The embedded server cannot run here as asked: the platform, the directory or the version is at fault. */
export function cannotEmbed(reason: string, message: string, details: Details): UsageError {
  return new UsageError(`embedded_${reason}`, message, { ...details, ...ANCHOR });
}

/** The embedded server should have run, and did not. */
export function embeddedFailed(reason: string, message: string, details: Details): UnreachableError {
  return new UnreachableError(`embedded_${reason}`, message, { ...details, ...ANCHOR });
}
