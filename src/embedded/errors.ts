import { UnreachableError, UsageError } from '../errors.js';
import type { ErrorDetails } from '../errors.js';

/** The embedded server cannot run here as asked: the platform, the directory or the version is at fault. */
export function cannotEmbed(reason: string, message: string, details?: ErrorDetails): UsageError {
  return new UsageError(`embedded_${reason}`, message, details);
}

/** The embedded server should have run, and did not. */
export function embeddedFailed(reason: string, message: string, details?: ErrorDetails): UnreachableError {
  return new UnreachableError(`embedded_${reason}`, message, details);
}
