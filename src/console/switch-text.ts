import type { SwitchReport } from '../stages/switch/switch.js';
import { grouped } from '../format.js';

/** Who is answered from Settings now. */
export function switchText({ accounts }: SwitchReport): string {
  return `${grouped(accounts.switched)} of ${grouped(accounts.total)} accounts are answered from Settings.\n`;
}
