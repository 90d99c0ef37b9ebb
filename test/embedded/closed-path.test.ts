import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  lstatSync,
} from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { expect } from 'chai';
import { binariesAt, locateBinaries } from '../../src/embedded/binaries.js';
import { prepareBinaries } from '../../src/embedded/prepare.js';
import { findRunAs } from '../../src/embedded/run-as.js';
import { leavesNothing, startProgram, started } from './processes.js';

/** Version of a copy that no real package has, so that the test meets no cached copy but its own. */
const VERSION = `18.0.0-test-${process.pid}`;
const CACHED = path.join(os.tmpdir(), `keylift-postgres-${VERSION}-${process.getuid!()}`);

const runAs = findRunAs();
let closed: string;

/** A directory that whoever PostgreSQL runs as cannot use: as root, below a 0700 one; else, not to be written to. */
function makeClosed(): string {
  return mkdtempSync(path.join(os.tmpdir(), 'keylift-closed-'));
}

/** The installed binaries as npm leaves them when it runs no postinstall: no links, no executable bits. */
function installBare(parent: string) {
  const root = path.join(parent, 'native');
  cpSync(locateBinaries().root, root, { recursive: true, verbatimSymlinks: true });
  for (const name of readdirSync(path.join(root, 'lib'))) {
    const file = path.join(root, 'lib', name);
    if (lstatSync(file).isSymbolicLink()) rmSync(file);
  }
  for (const name of readdirSync(path.join(root, 'bin'))) chmodSync(path.join(root, 'bin', name), 0o644);
  return binariesAt(root, VERSION);
}

function lock(...directories: string[]): void {
  for (const directory of directories) chmodSync(directory, runAs === undefined ? 0o500 : 0o700);
}

describe('a checkout that PostgreSQL may not enter', () => {
  beforeEach(() => {
    closed = makeClosed();
  });
  afterEach(() => {
    execFileSync('chmod', ['-R', 'u+w', closed]);
    for (const directory of [closed, CACHED]) rmSync(directory, { recursive: true, force: true });
  });

  it('puts the data among the temporary files', async () => {
    lock(closed);
    const program = startProgram('wait', closed);
    const server = await started(program);
    expect(path.dirname(server.dataDirectory)).to.equal(os.tmpdir());
    program.process.stdin!.write('stop\n');
    expect(await program.exited).to.equal(0);
    await leavesNothing(server);
  });

  it('runs a copy of the binaries, made whole, and finds the copy again', async () => {
    const bare = installBare(closed);
    lock(path.join(bare.root, 'lib'), path.join(bare.root, 'bin'), closed);
    const prepare = () => prepareBinaries({ binaries: bare, runAs, serverDirectory: path.join(closed, 'server') });
    const copy = await prepare();
    expect(copy.root).to.equal(path.join(CACHED, 'native'));
    expect(version(copy.postgres)).to.match(/^postgres \(PostgreSQL\) 18/);
    const { ino } = statSync(CACHED);
    await prepare();
    expect(statSync(CACHED).ino).to.equal(ino);
    rmSync(path.join(copy.root, 'share', 'postgresql', 'postgres.bki'));
    await prepare();
    expect(existsSync(path.join(copy.root, 'share', 'postgresql', 'postgres.bki'))).to.be.true;
  });

  it('trusts no copy that others can change, and makes one of its own', async () => {
    const bare = installBare(closed);
    lock(path.join(bare.root, 'lib'), path.join(bare.root, 'bin'), closed);
    const elsewhere = mkdtempSync(path.join(os.tmpdir(), 'keylift-server-'));
    chmodSync(elsewhere, 0o755);
    symlinkSync(elsewhere, CACHED);
    const copy = await prepareBinaries({ binaries: bare, runAs, serverDirectory: elsewhere });
    expect(copy.root).to.equal(path.join(elsewhere, 'postgres', 'native'));
    expect(version(copy.initdb)).to.match(/^initdb \(PostgreSQL\) 18/);
    rmSync(elsewhere, { recursive: true });
  });

  it('mends an installation without links and executable bits where it is, if it may', async () => {
    chmodSync(closed, 0o755);
    const bare = installBare(closed);
    const prepared = await prepareBinaries({ binaries: bare, runAs, serverDirectory: path.join(closed, 'server') });
    expect(prepared.root).to.equal(bare.root);
    expect(version(prepared.postgres)).to.match(/18/);
  });
});

function version(program: string): string {
  return execFileSync(program, ['--version'], { encoding: 'utf8', cwd: '/', ...runAs });
}
