import { endMirror, resumeMirror } from '../src/mirror/install-archive.js';
import { step } from './context.js';

/** Finalize, last step: all rows are archived, the latest of them here, and the mirror has nothing left to carry. */
export const mirrorOff = step({ name: '14_mirror_off', up: endMirror, down: resumeMirror });
