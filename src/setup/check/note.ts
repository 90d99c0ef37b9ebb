/** Something that an operator should know and that is not a fault. */
export interface Note {
  /** The configuration key, or `role` for the role that runs the check. */
  at: string;
  note: string;
}
