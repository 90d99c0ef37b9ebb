import { expect } from 'chai';
import { confirm } from '../../src/commands/confirm.js';
import { NO_TTY, keylift, type Call } from './harness.js';

const TTY = { stdin: true, stdout: true, stderr: true };

async function ask(call: Call & { yes?: boolean }) {
  return keylift('migrate', {
    env: { DATABASE_URL: 'postgres://ann@h/d' },
    ...call,
    run: async (context, { send }) => {
      const answer = confirm(context, { question: 'Move 3 keys?', lines: ['3 keys move'], yes: call.yes ?? false });
      if (call.stdin === undefined) send('SIGINT');
      await answer;
      return 0;
    },
  });
}

describe('confirm', () => {
  for (const stdin of ['y\n', 'yes\n', ' Y \n', 'y']) {
    it(`takes ${JSON.stringify(stdin)} for yes`, async () => {
      expect(await ask({ isTTY: TTY, stdin })).to.deep.equal({
        exitCode: 0,
        stdout: '',
        stderr: '3 keys move\nMove 3 keys? [y/N] ',
      });
    });
  }

  for (const stdin of ['n\n', '\n', '', 'yep\n', 'no\ny\n']) {
    it(`takes ${JSON.stringify(stdin)} for no, exit 3`, async () => {
      const { exitCode, stderr } = await ask({ isTTY: TTY, stdin });
      expect([exitCode, stderr]).to.deep.equal([
        3,
        '3 keys move\nMove 3 keys? [y/N] keylift: the answer was not yes; nothing was changed\n' +
          '  Run the command again and answer y, or pass --yes.\n  see runbook.md#confirmation (code not_confirmed)\n',
      ]);
    });
  }

  it('does not ask with --yes', async () => {
    expect(await ask({ isTTY: NO_TTY, stdin: '', yes: true })).to.include({ exitCode: 0, stderr: '' });
  });

  it('refuses where nobody can answer, and says what to do', async () => {
    const { exitCode, stderr } = await ask({ isTTY: NO_TTY, stdin: 'y\n' });
    expect([exitCode, stderr]).to.deep.equal([
      3,
      'keylift: this command asks a question, and there is no terminal to answer from: Move 3 keys?\n' +
        '  Pass --yes to continue without the question.\n  see runbook.md#confirmation (code confirmation_missing)\n',
    ]);
  });

  it('is interrupted by a signal, exit 130', async () => {
    const { exitCode, stderr } = await ask({ isTTY: TTY });
    expect(exitCode).to.equal(130);
    expect(stderr).to.match(
      /stopped at the question; nothing was changed\n {2}Run the same command again\.\n {2}see runbook\.md#stop-resume-take-back \(code interrupted\)\n$/,
    );
  });
});
