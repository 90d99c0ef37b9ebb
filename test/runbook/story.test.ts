import { blocksOf } from './blocks.js';
import { STORY } from './chapters.js';
import { rehearse } from './rehearse.js';
import { EXCEPTIONS } from './shop.js';

describe('the runbook, rehearsed: from the drill card to the cleaning up', () => {
  rehearse(
    blocksOf('runbook.md').filter(({ part }) => STORY.includes(part)),
    EXCEPTIONS,
  );
});
