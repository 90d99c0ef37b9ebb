import { entries } from '../entry.js';

/** What keylift did not foresee. */
export const BUG_CODES = entries({
  unexpected: {
    exit: 'bug',
    section: 'a-bug-of-keylift',
    meaning: 'An error inside keylift.',
    hint: 'Please report it, with the command line, the lines above and the stack.',
  },
  illegal_transition: {
    exit: 'bug',
    section: 'a-bug-of-keylift',
    meaning: 'A command tried to bring the migration into a state that docs/states.md does not allow.',
    hint: 'Please report it, with the command line, the lines above and the stack.',
  },
  database_error: {
    exit: 'bug',
    section: 'a-bug-of-keylift',
    meaning: 'The server reported an error that keylift did not foresee, or a trigger or constraint of yours did.',
    hint: 'Please report it, with the command line, the lines above and the stack.',
  },
});
