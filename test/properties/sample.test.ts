import { agreement } from './agreement.js';

agreement('a sample of worlds and scripts, and the rules of the move', 50);
