/** The runbook's chapters, as the files of this folder share them out: what is done in this order, … */
export const STORY = [
  'Drill card',
  'Roles',
  'The days before',
  'Go or no-go',
  'The night',
  'Watch and steer',
  'Stop, resume, take back',
  'After the switch',
];

/** … and what is looked up. */
export const REFERENCE = ['Preflight', 'Exceptions', 'Holds and lists', 'Cohorts', 'Replay', 'Probe', 'Snapshots'];
export const MESSAGES = ['Messages'];
