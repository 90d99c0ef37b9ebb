import { blocksOf } from './blocks.js';
import { REFERENCE } from './chapters.js';
import { rehearse } from './rehearse.js';
import { EXCEPTIONS } from './shop.js';

describe('the runbook, rehearsed: what is looked up', () => {
  rehearse(
    blocksOf('runbook.md').filter(({ part }) => REFERENCE.includes(part)),
    EXCEPTIONS,
  );
});
