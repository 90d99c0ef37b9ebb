import { chmodSync, chownSync, lchownSync } from 'node:fs';
import { chmod, link, lstat, mkdir, readdir, readFile, stat, symlink, writeFile as writePlain } from 'node:fs/promises';
import path from 'node:path';
import { expect } from 'chai';
import { hasCode } from '../../src/errors/keylift-error.js';
import { openToAppend } from '../../src/files/append.js';
import { checkFolder } from '../../src/files/folder.js';
import { checkOutput, type Output } from '../../src/files/placement.js';
import { writeText } from '../../src/files/write.js';
import { useDirectories } from '../cases/case-directory.js';

const OTHER_USER = 65_534;

describe('writing files', () => {
  const directory = useDirectories();
  let folder: string;
  beforeEach(async () => {
    folder = await directory({ 'own.txt': "the operator's own file" });
  });
  const at = (name: string): string => path.join(folder, name);
  const outputOf = (file: string): Output => ({ file, what: 'the report file', code: 'report_unwritable' });
  const modeOf = async (file: string): Promise<string> => ((await stat(file)).mode & 0o777).toString(8);

  /** The message of each way to write, which must be the same. */
  async function refusalOf(file: string): Promise<string> {
    const ways = [
      () => writeText(outputOf(file), 'new'),
      async () => {
        checkOutput(outputOf(file));
      },
      async () => {
        openToAppend(outputOf(file), () => undefined);
      },
    ];
    const messages = new Set<string>();
    for (const way of ways)
      await way().then(
        () => messages.add('written'),
        (error: unknown) => {
          if (!hasCode(error, 'report_unwritable')) throw error;
          messages.add(error.message);
        },
      );
    expect(messages.size, [...messages].join('\n')).to.equal(1);
    return [...messages][0]!;
  }

  it('creates a file that only its owner may read, or replaces one, and leaves nothing beside it', async () => {
    await writeText(outputOf(at('new.txt')), 'new');
    await chmod(at('own.txt'), 0o666);
    await writeText(outputOf(at('own.txt')), 'other');
    expect([await modeOf(at('new.txt')), await modeOf(at('own.txt'))]).to.deep.equal(['600', '600']);
    expect(await readFile(at('own.txt'), 'utf8')).to.equal('other');
    expect((await readdir(folder)).sort()).to.deep.equal(['new.txt', 'own.txt']);
  });

  it('follows no symbolic link, not even one of its own, nor one that leads nowhere', async () => {
    for (const target of ['own.txt', 'nowhere.txt']) {
      await symlink(at(target), at(`to-${target}`));
      expect(await refusalOf(at(`to-${target}`))).to.match(/ cannot be written: it is a symbolic link$/);
      expect((await lstat(at(`to-${target}`))).isSymbolicLink()).to.equal(true);
    }
    expect(await readFile(at('own.txt'), 'utf8')).to.equal("the operator's own file");
    expect((await readdir(folder)).sort()).to.deep.equal(['own.txt', 'to-nowhere.txt', 'to-own.txt']);
  });

  it('names a folder that others can write to, with the sticky bit and without', async () => {
    await mkdir(at('shared'));
    await symlink(at('own.txt'), at('shared/link'));
    for (const [mode, who] of [
      [0o777, 'every user'],
      [0o1777, 'every user'],
      [0o775, 'the group \\d+'],
    ] as const) {
      chmodSync(at('shared'), mode);
      expect(await refusalOf(at('shared/link'))).to.match(
        new RegExp(`: it is a symbolic link, and ${who} can write to the folder ${at('shared')}$`),
      );
    }
  });

  it('touches no file and no link of another user', async function () {
    if (process.geteuid!() !== 0) this.skip();
    await writePlain(at('foreign.txt'), 'theirs');
    chownSync(at('foreign.txt'), OTHER_USER, OTHER_USER);
    await symlink(at('own.txt'), at('link'));
    lchownSync(at('link'), OTHER_USER, OTHER_USER);
    expect(await refusalOf(at('foreign.txt'))).to.include('it belongs to another user (uid 65534)');
    expect(await refusalOf(at('link'))).to.include('it is a symbolic link');
    expect(await readFile(at('foreign.txt'), 'utf8')).to.equal('theirs');
    await mkdir(at('theirs'));
    chownSync(at('theirs'), OTHER_USER, OTHER_USER);
    expect(() => {
      checkFolder(outputOf(at('theirs')));
    }).to.throw('it belongs to another user');
  });

  it('says what is there in place of a file, or that there is no folder', async () => {
    await mkdir(at('folder'));
    expect(await refusalOf(at('folder'))).to.match(/: it is a folder$/);
    expect(await refusalOf(at('no/such.txt'))).to.match(/: its folder does not exist \(ENOENT\)$/);
    expect(await refusalOf('/dev/zero')).to.match(/: it is a device$/);
  });

  it('keeps the mode of a file in a repository, and lets a collector read whatever the umask is', async () => {
    const before = process.umask(0o077);
    try {
      await chmod(at('own.txt'), 0o640);
      await writeText(outputOf(at('own.txt')), 'other', { readers: 'repository' });
      await writeText(outputOf(at('new.txt')), 'new', { readers: 'repository' });
      await writeText(outputOf(at('metrics.txt')), 'new', { readers: 'collector' });
    } finally {
      process.umask(before);
    }
    expect(await Promise.all(['own.txt', 'new.txt', 'metrics.txt'].map((name) => modeOf(at(name))))).to.deep.equal([
      '640',
      '600',
      '644',
    ]);
  });

  it('replaces nothing where a file must be new', async () => {
    const failure = await writeText(outputOf(at('own.txt')), 'new', { exclusive: true }).catch(
      (error: unknown) => error,
    );
    expect((failure as Error).message).to.match(/: it exists already \(EEXIST\)$/);
    await writeText(outputOf(at('new.txt')), 'new', { exclusive: true });
    expect(await readFile(at('own.txt'), 'utf8')).to.equal("the operator's own file");
    expect((await readdir(folder)).sort()).to.deep.equal(['new.txt', 'own.txt']);
  });

  it('replaces one name of a file that has two, and appends to neither', async () => {
    await link(at('own.txt'), at('second.txt'));
    expect(() => openToAppend(outputOf(at('second.txt')), () => undefined)).to.throw('it has a second name');
    await writeText(outputOf(at('second.txt')), 'new');
    expect(await readFile(at('own.txt'), 'utf8')).to.equal("the operator's own file");
  });
});
