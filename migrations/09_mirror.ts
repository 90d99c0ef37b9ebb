import { turnMirrorOff, turnMirrorOn } from '../src/mirror/install.js';
import { step } from './context.js';

/** Harden: the mirror takes over from the change log. */
export const mirror = step({ name: '09_mirror', up: turnMirrorOn, down: turnMirrorOff });
