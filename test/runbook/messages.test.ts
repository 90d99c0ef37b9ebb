import { blocksOf } from './blocks.js';
import { MESSAGES } from './chapters.js';
import { rehearse } from './rehearse.js';
import { EXCEPTIONS } from './shop.js';

describe('the runbook, rehearsed: what messages send to', () => {
  rehearse(
    blocksOf('runbook.md').filter(({ part }) => MESSAGES.includes(part)),
    EXCEPTIONS,
  );
});
