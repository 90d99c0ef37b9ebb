/** Something that is no fault and that an operator should know. */
export interface Note {
  /** The key of the configuration it is about, or `role`: who asks. */
  at: string;
  note: string;
}
