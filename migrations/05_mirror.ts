import { installMirror, removeMirror } from '../src/mirror/install.js';
import { step } from './context.js';

/** Expand, last step: the mirror. */
export const mirror = step({ name: '05_mirror', up: installMirror, down: removeMirror });
