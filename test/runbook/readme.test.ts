import { blocksOf } from './blocks.js';
import { rehearse } from './rehearse.js';

describe('the README, rehearsed', () => {
  rehearse(blocksOf('README.md'));
});
