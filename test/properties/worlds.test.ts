import { agreement } from './agreement.js';

agreement("any world, any script of the operator's, and the rules of the move", 1_000);
