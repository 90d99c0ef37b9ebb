/** Functions of the mirror, for taking them away again. */
export const MIRROR_FUNCTIONS = (idType: string, tokenType: string): string[] => [
  'mirror_insert()',
  'mirror_update()',
  'mirror_delete()',
  'refuse_truncate()',
  'mirror_back_update()',
  'mirror_back_delete()',
  'check_token()',
  'mirror_number()',
  `mirror_one_insert(${idType}, ${tokenType})`,
  `mirror_one_update(${idType}, ${tokenType})`,
  `mirror_one_delete(${idType}, ${tokenType})`,
  `settle(${idType}[], ${tokenType}[], boolean)`,
  `settle_few(${idType}[], ${tokenType}[])`,
  `settle_many(${idType}[], ${tokenType}[])`,
  `await_batches(${idType}[])`,
];
