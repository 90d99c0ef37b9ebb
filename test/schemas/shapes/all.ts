import { NUMBERS } from './numbers.js';
import type { Shape } from './shape.js';
import { COLUMNED, PARTITIONED } from './structures.js';
import { TEXTS } from './texts.js';

export const SHAPES: readonly Shape[] = [...NUMBERS, ...TEXTS, ...PARTITIONED, ...COLUMNED];
